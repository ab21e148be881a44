"""The policies in a SQLite store: written by its writer, read beside it."""

import sqlite3
from asyncio import Future
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from api.storage.account import ERASED, REFUND
from api.storage.orders import margin_at
from api.storage.outbox import Notice, NoticeType, Value, tell
from api.storage.reading import read_beside
from api.storage.trial import (
    MARGIN,
    RETURNS,
    Asked,
    GateRow,
    PolicyRow,
    Settled,
    SettledRow,
    Step,
    StepRow,
    Trials,
)
from api.storage.writer import GroupCommitWriter

_NOTICES: Mapping[str, NoticeType] = {
    "promoted": "policy.promoted",
    "rolled back": "policy.rolled_back",
}
_STEP = f"step, {', '.join(StepRow._fields)}, decisions_through, rewards_through"
_INSERT_STEP = f"""
    INSERT INTO policy_steps ({", ".join(StepRow._fields)}, decisions_through, rewards_through)
    VALUES ({", ".join("?" * len(StepRow._fields))},
            (SELECT coalesce(max(seq), 0) FROM decisions),
            (SELECT coalesce(max(seq), 0) FROM rewards))"""  # noqa: S608  # names of our own
_OF_DECISION = "FROM rewards r WHERE r.decision_id = d.decision_id"
_SETTLED = f"""
    SELECT d.seq, d.closes_at_us, d.decision_id, d.visitor, d.decided_at_us, d.probability, d.parts,
           d.is_own, d.lineup,
           iif(d.is_own, (SELECT total(r.value) {_OF_DECISION}), 0.0),
           iif(d.is_own, EXISTS (SELECT 1 {_OF_DECISION} AND r.is_first), 0),
           iif(d.is_own, EXISTS (SELECT 1 {_OF_DECISION} AND r.source = '{REFUND}'
                                 AND r.reward_id NOT LIKE '{ERASED}:%'), 0)
    FROM (SELECT seq, closes_at_us, decision_id, visitor, decided_at_us, probability, parts, lineup,
                 parts IS NOT NULL AND placement = :placement AND lineup >= :trial AS is_own
          FROM decisions WHERE seq > :after ORDER BY seq LIMIT :limit) d
    ORDER BY d.seq"""  # noqa: S608  # as above
_UNSUBSCRIBED = """
    SELECT EXISTS (
        SELECT 1 FROM events e WHERE e.name = 'Unsubscribed'
          AND e.visitor IN (SELECT ?1 UNION SELECT alias FROM aliases WHERE visitor = ?1)
          AND e.timestamp_us BETWEEN ?2 AND ?3)"""
_ORDERS = """
    SELECT DISTINCT e.seq, e.order_id FROM rewards r JOIN events e ON e.seq = r.event_seq
    WHERE r.decision_id = ? AND e.name = 'Order Completed'"""


class _Decision(NamedTuple):
    """A row of `_SETTLED`."""

    seq: int
    closes_at_us: int
    decision_id: str
    visitor: str
    decided_at_us: int
    probability: float
    parts: bytes
    is_own: bool
    lineup: int
    reward: float
    counts: bool
    is_returned: bool


class SQLiteTrials(Trials):
    """See `Trials`.

    Args:
        path: The database file.
        connection: The store's own, until the writer has it.
        writer: The running writer.
    """

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        writer: Callable[[], GroupCommitWriter],
    ) -> None:
        self._path = path
        self._connection = connection
        self._writer = writer

    def policies(self, placement: str) -> list[PolicyRow]:
        """See `Trials`."""
        sql = f"SELECT {', '.join(PolicyRow._fields)} FROM policies WHERE placement = ?"  # noqa: S608  # our own
        rows = self._connection.execute(f"{sql} ORDER BY rowid", (placement,))
        return [PolicyRow(*row) for row in rows]

    def latest(self, placement: str) -> Step | None:
        """See `Trials`."""
        found = _steps(self._connection, placement, 1)
        return found[0] if found else None

    def begin(self, policies: Sequence[PolicyRow], step: StepRow) -> int:
        """See `Trials`."""
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            number = _record(connection, policies, step)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
        return number

    def record(
        self, policies: Sequence[PolicyRow], step: StepRow, on_commit: Callable[[int], None]
    ) -> Future[int]:
        """See `Trials`."""
        return self._writer().call(
            lambda connection: _record(connection, policies, step), on_commit
        )

    async def steps(self, placement: str, limit: int) -> list[Step]:
        """See `Trials`."""
        return await read_beside(
            self._path, lambda connection: _steps(connection, placement, limit)
        )

    def gate(self, placement: str) -> Future[GateRow | None]:
        """See `Trials`."""

        def work(connection: sqlite3.Connection) -> GateRow | None:
            sql = f"SELECT {', '.join(GateRow._fields)} FROM gates WHERE placement = ?"  # noqa: S608  # our own
            row = connection.execute(sql, (placement,)).fetchone()
            return None if row is None else GateRow(*row)

        return self._writer().call(work)

    def save_gate(self, row: GateRow) -> Future[None]:
        """See `Trials`."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT OR REPLACE INTO gates VALUES (?, ?, ?, ?)", row)

        return self._writer().call(work)

    async def settled(self, asked: Asked) -> Settled:
        """See `Trials`."""
        return await read_beside(self._path, lambda connection: settled(connection, asked))


def _record(connection: sqlite3.Connection, policies: Sequence[PolicyRow], step: StepRow) -> int:
    marks = ", ".join("?" * len(PolicyRow._fields))
    connection.executemany(f"INSERT INTO policies VALUES ({marks})", policies)  # noqa: S608  # our own
    number = int(connection.execute(_INSERT_STEP, step).lastrowid or 0)
    kind = _NOTICES.get(step.what)
    if kind is not None:
        tell(connection, Notice(kind, step.at_us, _told(number, step)))
    return number


def _told(number: int, step: StepRow) -> dict[str, Value]:
    """What an endpoint is told of a step."""
    return {
        "placement": step.placement,
        "policy": step.policy,
        "step": number,
        "actor": step.actor,
        "reason": step.reason,
    }


def _steps(connection: sqlite3.Connection, placement: str, limit: int) -> list[Step]:
    sql = f"SELECT {_STEP} FROM policy_steps WHERE placement = ? ORDER BY step DESC LIMIT ?"  # noqa: S608  # our own
    rows = connection.execute(sql, (placement, limit))
    return [Step(row[0], StepRow(*row[1:-2]), *row[-2:]) for row in rows]


def settled(connection: sqlite3.Connection, asked: Asked) -> Settled:
    """See `Trials.settled`.

    Args:
        connection: In a transaction, so that all of it is of one instant.
        asked: What to read.
    """
    closed = connection.execute("SELECT data FROM state WHERE key = 'closed_through'").fetchone()
    closed_us, closed_seq, _ = map(int, closed[0].split(b"/")) if closed else (0, 0, 0)
    last = min((closed_us, closed_seq), (asked.now_us - asked.wait_us, 2**63))
    looked_at = connection.execute(
        _SETTLED,
        {
            "placement": asked.placement,
            "trial": asked.trial,
            "after": asked.after,
            "limit": asked.limit,
        },
    ).fetchall()
    rows: list[SettledRow] = []
    through = asked.after
    for row in looked_at:
        decision = _Decision(*row)
        if decision.is_own and (decision.closes_at_us, decision.seq) > last:
            return Settled(tuple(rows), through, is_all=True)
        through = decision.seq
        if decision.is_own and decision.counts:
            metrics = tuple(_measured(connection, decision, name, asked) for name in asked.metrics)
            rows.append(
                SettledRow(
                    decision.probability, decision.parts, decision.reward, metrics, decision.lineup
                )
            )
    return Settled(tuple(rows), through, is_all=len(looked_at) < asked.limit)


def _measured(
    connection: sqlite3.Connection, decision: _Decision, name: str, asked: Asked
) -> float:
    """A guardrail of one decision; see docs/promotion.md."""
    if name == RETURNS:
        return float(decision.is_returned)
    if name == MARGIN:
        return _margin(connection, decision.decision_id)
    until_us = decision.closes_at_us + asked.wait_us
    during = (decision.visitor, decision.decided_at_us, until_us)
    return float(connection.execute(_UNSUBSCRIBED, during).fetchone()[0])


def _margin(connection: sqlite3.Connection, decision_id: str) -> float:
    """What its orders left, in currency units."""
    orders = connection.execute(_ORDERS, (decision_id,)).fetchall()
    return sum(margin_at(connection, seq, order_id) for seq, order_id in orders)
