"""The account of one decision: what the log holds of its reward, and the row that brings it up.

Under `api.storage.ledger`, inside the writer's transaction. A row of `rewards` is never changed;
what corrects it is a further row, so that the sum of a decision's rows is its reward at any time.
"""

import sqlite3
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from policy.reward.spec import SHOWN, Earning, RewardSpec

EVENT, EXPLICIT, WINDOW, REFUND, ACTIVATION = "event", "explicit", "window", "refund", "shown"
ONLY, ERASED = "only", "erased"

RESERVED = tuple(f"{name}:" for name in (EVENT, WINDOW, ONLY, REFUND, ACTIVATION, ERASED))
"""How the ids of rewards begin that the service names itself."""

INSERT = """INSERT INTO rewards (reward_id, decision_id, value, is_first, source, received_at_us,
                                 event_seq, worth)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""


class Entry(NamedTuple):
    """Why a row is written.

    Args:
        reward_id: Names the row.
        source: `event`, `explicit`, `window`, `refund` or `shown`.
        event_seq: The conversion that it is about.
        worth: What the conversion, or the report, counts for on its own; None for nothing.
    """

    reward_id: str
    source: str
    received_at_us: int
    event_seq: int | None = None
    worth: float | None = None


@dataclass(slots=True)
class Account:
    """A decision and what its rows come to.

    Args:
        rows: Place in the log of the event that each of its rows is about, by the row's id.
        total: Their sum: its reward.
        learned: Whether it has a reward already, and so the policy an observation.
        shown: Whether it was activated.
        closed: Whether its window was seen to close without a reward.
        default: What that gave it, as far as it was not taken back.
        reported: Sum of the explicit rewards; None for none.
        earnings: What each conversion is worth, by its place in the log; None once refunded.
    """

    decision_id: str
    visitor: str
    placement: str
    match_value: str | None
    closes_at_us: int
    rows: dict[str, int | None] = field(default_factory=dict)
    total: float = 0.0
    learned: bool = False
    shown: bool = False
    closed: bool = False
    default: float = 0.0
    reported: float | None = None
    earnings: dict[int, Earning | None] = field(default_factory=dict)

    @property
    def standing(self) -> list[Earning]:
        """The conversions that count, as they were heard of."""
        return [earning for earning in self.earnings.values() if earning is not None]

    def counts(self, spec: RewardSpec) -> bool:
        """Whether it may be learned from."""
        return self.shown or spec.activation != SHOWN

    def _take_in(self, row: tuple[Any, ...]) -> None:
        reward_id, value, first, source, event_seq, worth, at_us = row
        self.rows[reward_id] = event_seq
        self.total += value
        self.learned |= bool(first)
        if event_seq is not None:
            self.earnings[event_seq] = None if worth is None else Earning(at_us, worth)
        elif source == EXPLICIT:
            self.reported = (self.reported or 0.0) + worth
        elif source == WINDOW:
            self.closed = True
            self.default += value
        elif source == ACTIVATION:
            self.shown = True


_SELECT = """
    SELECT d.seq, r.seq, d.decision_id, d.visitor, d.placement, d.match_value, d.closes_at_us,
           r.reward_id, r.value, r.is_first, r.source, r.event_seq, r.worth,
           coalesce(e.timestamp_us, r.received_at_us)
    FROM decisions d
         LEFT JOIN rewards r ON r.decision_id = d.decision_id
         LEFT JOIN events e ON e.seq = r.event_seq
    WHERE """
_DECISION, _REWARD = slice(2, 7), slice(7, None)


def accounts(connection: sqlite3.Connection, where: str, parameters: Any) -> list[Account]:
    """The accounts of decisions, in the order of the log; those without rows as well.

    Args:
        connection: In the writer's transaction.
        where: Condition on a decision `d`, of our own making.
        parameters: What its question marks stand for.
    """
    rows = connection.execute(_SELECT + where, parameters).fetchall()
    if len(rows) > 1:
        rows.sort()  # as they mostly are: cheaper than to have SQLite see to it
    found: list[Account] = []
    for row in rows:
        if not found or found[-1].decision_id != row[2]:
            found.append(Account(*row[_DECISION]))
        if row[1] is not None:
            found[-1]._take_in(row[_REWARD])
    return found


def account_of(connection: sqlite3.Connection, decision_id: str) -> Account | None:
    """The account of one decision; None where there is no such decision."""
    found = accounts(connection, "d.decision_id = ?", (decision_id,))
    return found[0] if found else None


def post(
    connection: sqlite3.Connection,
    account: Account,
    spec: RewardSpec,
    entry: Entry,
    *,
    closed: bool = False,
) -> bool:
    """Write the row with which the sum of a decision's rows becomes its reward.

    The caller has told the account what is new. Where the decision has yet to be activated, the row
    only holds what is new, and changes nothing.

    Args:
        connection: In the writer's transaction.
        account: Of the decision.
        spec: Reward definition of its placement.
        entry: Why.
        closed: Whether the window is over: a decision without anything else earns its default.

    Returns:
        Whether the decision's reward, or that it has one, changed.
    """
    value, first = 0.0, False
    if account.counts(spec):
        reward = spec.total(account.standing, account.reported, closed=closed)
        first = reward is not None and not account.learned
        value = (reward or 0.0) - account.total
    row = (
        entry.reward_id, account.decision_id, value, first, entry.source, entry.received_at_us,
        entry.event_seq, entry.worth,
    )  # fmt: skip
    connection.execute(INSERT, row)
    return first or value != 0.0


def take_back_default(connection: sqlite3.Connection, account: Account, now_us: int) -> None:
    """Undo the default: what comes after the window closed replaces it."""
    if account.default:
        reward_id = f"{WINDOW}:taken-back:{account.decision_id}"
        row = (reward_id, account.decision_id, -account.default, False, WINDOW, now_us, None, None)
        connection.execute(INSERT, row)
        account.total -= account.default
        account.default = 0.0
