"""Orders as the log has them: what was placed, and what was taken back since or before."""

import sqlite3

from api.ingest.conversion import EVENT_JSON, ORDER, to_conversion, to_refund
from policy.reward.conversion import Conversion
from policy.reward.expression import Expression
from policy.reward.refund import Refund, net

_MARGIN = Expression("revenue - cost")

MOST_REFUNDS = 1_000
"""Messages of one order that are read, so that no flood of them can hold up the writer."""


def refunds_of(connection: sqlite3.Connection, order_id: str) -> list[Refund]:
    """Every refund and cancellation of an order that is in the log."""
    sql = """SELECT timestamp_us, body FROM events WHERE order_id = ? AND name <> ?
             ORDER BY seq LIMIT ?"""
    rows = connection.execute(sql, (order_id, ORDER, MOST_REFUNDS)).fetchall()
    return [to_refund(EVENT_JSON.validate_json(body), at_us) for at_us, body in rows]


def order_at(connection: sqlite3.Connection, seq: int) -> Conversion | None:
    """The order that an event of the log reports; None where the event was erased."""
    row = connection.execute("SELECT body FROM events WHERE seq = ?", (seq,)).fetchone()
    return None if row is None else to_conversion(EVENT_JSON.validate_json(row[0]))


def margin_at(connection: sqlite3.Connection, seq: int, order_id: str | None) -> float:
    """What an order left at its net of refunds, in currency units; 0 for one that was erased."""
    order = order_at(connection, seq)
    refunds = refunds_of(connection, order_id) if order_id else []
    left = net(order, refunds) if order is not None and refunds else order
    return 0.0 if left is None else _MARGIN.of(left)
