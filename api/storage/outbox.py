"""The outbox: what others are to be told, written in the transaction of what it tells.

Functions of a connection that run inside the writer's transaction. Whoever changes something that
an endpoint may want to hear of calls `tell` there, and need not know who listens: the change and
its notices are in the log together, or neither is. `api.worker.delivery` sends them.

References:
    Microservices.io, "Pattern: Transactional outbox".
    Standard Webhooks, specification 1.0.0, "Payload structure".
"""

import json
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, get_args

from api.loop.clock import from_us

NoticeType = Literal[
    "conversion.credited",
    "segment.changed",
    "policy.promoted",
    "policy.rolled_back",
    "alert.raised",
]
NOTICE_TYPES: tuple[NoticeType, ...] = get_args(NoticeType)
SUBSCRIPTIONS = "outbox"
"""Under which name the state is kept that says who wants what."""

Value = str | int | float | bool | None


class Notice(NamedTuple):
    """Something that happened.

    Args:
        type: One of `NOTICE_TYPES`.
        at_us: When, in microseconds since 1970.
        data: What is told of it.
        visitor: Whom it is about, so that an erasure finds it; None where that is nobody.
    """

    type: NoticeType
    at_us: int
    data: Mapping[str, Value]
    visitor: str | None = None


class Delivery(NamedTuple):
    """A notice on its way to one endpoint.

    Args:
        message_id: Value of `webhook-id`, the same at every try and every endpoint.
        body: As it is sent.
        tries: How often it was sent before.
    """

    seq: int
    message_id: str
    endpoint: str
    type: str
    body: str
    tries: int


class Sent(NamedTuple):
    """What came of one try.

    Args:
        seq: Of the delivery.
        status: `delivered`, `waiting` for the next try, or `dead`.
        due_at_us: When to try again.
        error: Why it was not taken; None where it was.
    """

    seq: int
    status: Literal["delivered", "waiting", "dead"]
    due_at_us: int
    error: str | None = None


def subscribe(connection: sqlite3.Connection, endpoints: Mapping[str, Sequence[str]]) -> None:
    """Say which types each endpoint wants, by its name; replaces what was said before."""
    wanted = {
        kind: [name for name, kinds in endpoints.items() if kind in kinds] for kind in NOTICE_TYPES
    }
    data = json.dumps({kind: names for kind, names in wanted.items() if names}).encode()
    row = connection.execute("SELECT data FROM state WHERE key = ?", (SUBSCRIPTIONS,)).fetchone()
    if (row[0] if row else b"{}") != data:
        connection.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (SUBSCRIPTIONS, data))


def tell(connection: sqlite3.Connection, notice: Notice) -> int:
    """Put a notice into the outbox, once for each endpoint that wants its type.

    Args:
        connection: In the writer's transaction, together with what the notice is about.
        notice: What happened.

    Returns:
        For how many endpoints.
    """
    row = connection.execute("SELECT data FROM state WHERE key = ?", (SUBSCRIPTIONS,)).fetchone()
    endpoints = json.loads(row[0]).get(notice.type, ()) if row else ()
    if not endpoints:
        return 0
    moment = from_us(notice.at_us).isoformat()
    body = json.dumps(
        {"type": notice.type, "timestamp": moment, "data": notice.data}, ensure_ascii=False
    )
    message_id = f"msg_{secrets.token_hex(16)}"
    connection.executemany(
        """INSERT INTO outbox (message_id, endpoint, type, body, visitor, created_at_us, due_at_us)
           VALUES (?, ?, ?, ?, ?, ?, ?)""",
        [
            (message_id, name, notice.type, body, notice.visitor, notice.at_us, notice.at_us)
            for name in endpoints
        ],
    )
    return len(endpoints)


def due(
    connection: sqlite3.Connection, endpoint: str, now_us: int, limit: int
) -> tuple[list[Delivery], int]:
    """What to send to an endpoint now, the longest due first, and how many are waiting in all."""
    rows = connection.execute(
        """SELECT seq, message_id, endpoint, type, body, tries FROM outbox
           WHERE endpoint = ? AND status = 'waiting' AND due_at_us <= ?
           ORDER BY due_at_us, seq LIMIT ?""",
        (endpoint, now_us, limit),
    ).fetchall()
    (n_waiting,) = connection.execute(
        "SELECT count(*) FROM outbox WHERE endpoint = ? AND status = 'waiting'", (endpoint,)
    ).fetchone()
    return [Delivery(*row) for row in rows], int(n_waiting)


def settle(connection: sqlite3.Connection, results: Sequence[Sent]) -> None:
    """Note what came of tries."""
    connection.executemany(
        "UPDATE outbox SET status = ?, due_at_us = ?, error = ?, tries = tries + 1 WHERE seq = ?",
        [(one.status, one.due_at_us, one.error, one.seq) for one in results],
    )


def redeliver(
    connection: sqlite3.Connection, endpoint: str | None, message_id: str | None, now_us: int
) -> int:
    """Send again what is dead, or one message whatever became of it.

    Args:
        connection: In the writer's transaction.
        endpoint: To this one only.
        message_id: Only this message; None for all that are dead.
        now_us: When.

    Returns:
        How many deliveries are waiting again.
    """
    sql = """UPDATE outbox SET status = 'waiting', due_at_us = :now_us, tries = 0
             WHERE (:endpoint IS NULL OR endpoint = :endpoint)
               AND CASE WHEN :message_id IS NULL THEN status = 'dead'
                        ELSE message_id = :message_id END"""
    parameters = {"now_us": now_us, "endpoint": endpoint, "message_id": message_id}
    return connection.execute(sql, parameters).rowcount
