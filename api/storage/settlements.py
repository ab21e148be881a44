"""Settlements: what orders use of what decisions hold of budgets and inventories.

Functions of a connection that run inside the writer's transaction, so that each hold is used once.
"""

import json
import sqlite3
from typing import NamedTuple

from api.storage.base import EventRow, Redemption, SettlementRow
from api.storage.windows import index_decisions
from policy.catalog.action import LARGEST_CENTS
from policy.catalog.inventory import MOST_UNITS

INSERT = """INSERT INTO settlements (order_key, decision_id, action_id, units, cents, at_us,
                                     decisions_through)
            VALUES (?, ?, ?, ?, ?, ?, ?)"""

HOLDING = """
    SELECT decision_id, placement, action_id, match_value, decided_at_us FROM decisions d
    WHERE seq IN (SELECT seq FROM decisions_of_visitor
                  WHERE visitor IN (SELECT value FROM json_each(:visitors))
                    AND closes_at_us > :since_us)
      AND action_id IN (SELECT value FROM json_each(:actions))
      AND decided_at_us BETWEEN :since_us + 1 AND :now_us
      AND NOT EXISTS (SELECT 1 FROM settlements s WHERE s.decision_id = d.decision_id)
    ORDER BY seq DESC LIMIT :most"""

MOST_HOLDS = 1_000
"""Decisions that one order settles, so that no flood of them can hold up the writer."""


class _Held(NamedTuple):
    decision_id: str
    placement: str
    action_id: str
    match_value: str | None
    decided_at_us: int


def redeem(
    connection: sqlite3.Connection, event: EventRow, redemption: Redemption
) -> list[SettlementRow]:
    """Settle the decisions of a visitor that hold something which an order uses.

    Of each action the latest decision is used; the earlier ones let go of what they hold, since
    nobody will order on them any more.

    Args:
        connection: In the writer's transaction.
        event: The order, as it was just appended.
        redemption: What it can use.

    Returns:
        The rows that were written, in order.
    """
    sql = "SELECT 1 FROM settlements WHERE order_key = ?"
    if connection.execute(sql, (redemption.key,)).fetchone() is not None:
        return []
    through = index_decisions(connection)
    used: set[str] = set()
    written = []
    for held in _holding(connection, event, redemption):
        units = _units(held, redemption)
        if not units:
            continue
        cents = redemption.actions[held.action_id].cents
        if held.action_id in used:
            units, cents = 0, 0
        used.add(held.action_id)
        row = (
            held.decision_id, held.action_id, units,
            None if cents is None else min(cents, LARGEST_CENTS), event.received_at_us, through,
        )  # fmt: skip
        seq = connection.execute(INSERT, (redemption.key, *row)).lastrowid
        written.append(SettlementRow(seq or 0, *row))
    return written


def _holding(
    connection: sqlite3.Connection, event: EventRow, redemption: Redemption
) -> list[_Held]:
    """The decisions that still held something when the order was placed, the latest first."""
    now_us, actions = event.timestamp_us, redemption.actions
    parameters = {
        "visitors": json.dumps(redemption.visitors),
        "since_us": now_us - max(one.hold_us for one in actions.values()),
        "actions": json.dumps(list(actions)),
        "now_us": now_us,
        "most": MOST_HOLDS,
    }
    rows = [_Held(*row) for row in connection.execute(HOLDING, parameters)]
    return [row for row in rows if now_us < row.decided_at_us + actions[row.action_id].hold_us]


def _units(held: _Held, redemption: Redemption) -> int:
    """Pieces that an order has of what a decision offered; 0 where it is about something else."""
    match = redemption.matches.get(held.placement)
    if match is None:
        return 1
    part = redemption.conversion.matching(match, held.match_value)
    return 0 if part is None else min(max(round(part.quantity), 1), MOST_UNITS)
