"""Retention: rows that are old go, once nothing needs them any more.

Functions of a connection that run inside the writer's transaction, a few rows at a time. Profiles,
exposures and models are folds over the log: a row goes only when the saved snapshots cover it, so
that a restart comes to the same state without it.
"""

import sqlite3
from collections.abc import Mapping
from typing import NamedTuple

EVERYTHING = 2**63 - 1


class Covered(NamedTuple):
    """How far into the log the saved snapshots reach.

    Args:
        events: Place in the log up to which profiles are saved.
        decisions: Up to which exposures are.
        rewards: By placement, up to which its model is; others need theirs no more.
    """

    events: int
    decisions: int
    rewards: Mapping[str, int]


class Expired(NamedTuple):
    """What one step did.

    Args:
        n_rows: Rows that went.
        after: Where the next step begins; None where there is nothing left to look at.
    """

    n_rows: int
    after: tuple[int, int] | None


def expire(
    connection: sqlite3.Connection,
    table: str,
    before_us: int,
    covered: Covered,
    after: tuple[int, int],
    limit: int,
) -> Expired:
    """Let the next rows of a table go.

    Args:
        connection: In the writer's transaction.
        table: `events`, `decisions` (with their rewards), `dead_letters` or `transitions`.
        before_us: Older rows go, in microseconds since 1970.
        covered: What no snapshot needs any more.
        after: From `Expired.after`; (0, 0) to begin.
        limit: Rows looked at, at most.
    """
    if table == "decisions":
        return _decisions(connection, before_us, covered, after, limit)
    if table == "events":
        return _events(connection, before_us, covered, after, limit)
    when = "at_us" if table == "transitions" else "received_at_us"
    sql = f"SELECT seq FROM {table} WHERE seq > ? AND {when} < ? ORDER BY seq LIMIT ?"  # noqa: S608  # our own
    seqs = [seq for (seq,) in connection.execute(sql, (after[1], before_us, limit))]
    connection.executemany(f"DELETE FROM {table} WHERE seq = ?", [(seq,) for seq in seqs])  # noqa: S608  # as above
    return Expired(len(seqs), (0, seqs[-1]) if len(seqs) == limit else None)


def _events(
    connection: sqlite3.Connection,
    before_us: int,
    covered: Covered,
    after: tuple[int, int],
    limit: int,
) -> Expired:
    """All but links, which say who is who, and what rewards are about, for refunds to come."""
    rows = connection.execute(
        """SELECT seq, received_at_us, name IN ('Identified', 'Aliased') OR EXISTS (
                      SELECT 1 FROM rewards r WHERE r.event_seq = e.seq)
           FROM events e WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?""",
        (after[1], covered.events, limit),
    ).fetchall()
    old = [(seq, needed) for seq, received_at_us, needed in rows if received_at_us < before_us]
    gone = [(seq,) for seq, needed in old if not needed]
    connection.executemany("DELETE FROM events WHERE seq = ?", gone)
    return Expired(len(gone), (0, rows[-1][0]) if len(old) == limit else None)


def _decisions(
    connection: sqlite3.Connection,
    before_us: int,
    covered: Covered,
    after: tuple[int, int],
    limit: int,
) -> Expired:
    """Those whose window was seen to close, with their rewards, where models cover those."""
    row = connection.execute("SELECT data FROM state WHERE key = 'closed_through'").fetchone()
    closed_us, closed_seq, seen_seq = map(int, row[0].split(b"/")) if row else (0, 0, 0)
    rows = connection.execute(
        """SELECT seq, closes_at_us, decision_id, visitor, placement,
                  (SELECT coalesce(max(seq), 0) FROM rewards r
                   WHERE r.decision_id = d.decision_id)
           FROM decisions d
           WHERE (closes_at_us, seq) > (?, ?) AND (closes_at_us, seq) <= (?, ?)
             AND closes_at_us < ?
           ORDER BY closes_at_us, seq LIMIT ?""",
        (*after, closed_us, closed_seq, before_us, limit),
    ).fetchall()
    gone = [
        (seq, closes_at_us, decision_id, visitor)
        for seq, closes_at_us, decision_id, visitor, placement, last_reward in rows
        if seq <= min(seen_seq, covered.decisions)
        and last_reward <= covered.rewards.get(placement, EVERYTHING)
    ]
    for seq, closes_at_us, decision_id, visitor in gone:
        for table in ("settlements", "rewards"):
            connection.execute(f"DELETE FROM {table} WHERE decision_id = ?", (decision_id,))  # noqa: S608  # our own
        connection.execute("DELETE FROM decisions WHERE seq = ?", (seq,))
        key = (visitor, closes_at_us, seq)
        connection.execute(
            """DELETE FROM decisions_of_visitor
               WHERE visitor = ? AND closes_at_us = ? AND seq = ?""",
            key,
        )
    return Expired(len(gone), (rows[-1][1], rows[-1][0]) if len(rows) == limit else None)
