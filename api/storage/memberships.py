"""Who is in which segment, and every change of it: rows of the log, in one transaction each.

Functions of a connection. The row of a transition and that of the membership which it leads to are
written together, and a transition that does not go from where the membership is is left out: so
after a crash nothing is lost or there twice, whatever is found again.
"""

import json
import sqlite3
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from api.storage.outbox import Notice, Value, tell

THROUGH = "transitions_through"
"""Under which name the state is kept that says how far transitions are written: `Through`."""


class TransitionRow(NamedTuple):
    """A visitor changed segment.

    `grouping` is `segments` for the learned ones, else the name of a time window; `source` is None
    for a visitor who was in none, `target` for one who is in none any more; `cause` is `event`,
    `time` or `refit`; `version` is that of the segmentation in use, None without one.
    """

    visitor: str
    grouping: str
    source: str | None
    target: str | None
    at_us: int
    cause: str
    version: int | None


class Through(NamedTuple):
    """How far all transitions are written: last event of the log, time, and segmentation."""

    seq: int = -1
    at_us: int = 0
    version: int = 0

    def dump(self) -> bytes:
        """As it is kept."""
        return f"{self.seq}/{self.at_us}/{self.version}".encode()

    @classmethod
    def load(cls, data: bytes | None) -> "Through":
        """As it was kept; None for a store of before transitions were written."""
        return cls() if data is None else cls(*map(int, data.split(b"/")))


class MembershipRow(NamedTuple):
    """A visitor is in a segment since a time."""

    visitor: str
    grouping: str
    segment: str
    since_us: int


class DailyMove(NamedTuple):
    """How many visitors went one way on a day."""

    day: date
    source: str | None
    target: str | None
    cause: str
    n: int


_COLUMNS = ", ".join(TransitionRow._fields)
_SELECT = f"SELECT seq, {_COLUMNS} FROM transitions"  # noqa: S608  # our own names
_INSERT = f"""INSERT INTO transitions ({_COLUMNS})
              VALUES ({", ".join("?" * len(TransitionRow._fields))})"""  # noqa: S608  # our own names


def append(
    connection: sqlite3.Connection, rows: Sequence[TransitionRow], through: Through | None
) -> list[tuple[int, TransitionRow]]:
    """Write transitions and the memberships that they lead to.

    Args:
        connection: In the writer's transaction.
        rows: In the order in which they happened.
        through: How far all of them are written then; None where more are to come.

    Returns:
        Those that were not there yet, with their places in the log.
    """
    written = []
    for row in rows:
        key = (row.visitor, row.grouping)
        sql = "SELECT segment FROM memberships WHERE visitor = ? AND grouping = ?"
        found = connection.execute(sql, key).fetchone()
        if (found[0] if found else None) != row.source:
            continue  # it is there already, or one before it is missing: it is found again
        cursor = connection.execute(_INSERT, row)
        written.append((cursor.lastrowid or 0, row))
        tell(connection, Notice("segment.changed", row.at_us, _told(row), row.visitor))
        if row.target is None:
            sql = "DELETE FROM memberships WHERE visitor = ? AND grouping = ?"
            connection.execute(sql, key)
        else:
            sql = "INSERT OR REPLACE INTO memberships VALUES (?, ?, ?, ?)"
            connection.execute(sql, (*key, row.target, row.at_us))
    if through is not None:
        state = (THROUGH, through.dump())
        connection.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", state)
    return written


def _told(row: TransitionRow) -> dict[str, Value]:
    """What an endpoint is told of a change."""
    return {
        "visitor": row.visitor,
        "grouping": row.grouping,
        "from": row.source,
        "to": row.target,
        "cause": row.cause,
    }


def after(connection: sqlite3.Connection, seq: int, limit: int) -> list[tuple[int, TransitionRow]]:
    """The next transitions of the log, in order."""
    rows = connection.execute(f"{_SELECT} WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit))
    return [(place, TransitionRow(*row)) for place, *row in rows]


def last(
    connection: sqlite3.Connection, visitors: Sequence[str], limit: int
) -> list[tuple[int, TransitionRow]]:
    """The last transitions of some visitors, the newest first."""
    theirs = "WHERE visitor IN (SELECT value FROM json_each(?)) ORDER BY seq DESC LIMIT ?"
    rows = connection.execute(f"{_SELECT} {theirs}", (json.dumps(visitors), limit))
    return [(place, TransitionRow(*row)) for place, *row in rows]


def members(
    connection: sqlite3.Connection, grouping: str, segment: str, beyond: str, limit: int
) -> list[MembershipRow]:
    """The next members of a segment, in the order of their ids."""
    sql = """SELECT visitor, grouping, segment, since_us FROM memberships
             WHERE grouping = ? AND segment = ? AND visitor > ? ORDER BY visitor LIMIT ?"""
    rows = connection.execute(sql, (grouping, segment, beyond, limit))
    return [MembershipRow(*row) for row in rows]


def flows(
    connection: sqlite3.Connection, from_us: int, until_us: int
) -> list[tuple[str, str | None, str | None, str, int]]:
    """How many went from where to where, and why: (grouping, source, target, cause, n)."""
    sql = """SELECT grouping, source, target, cause, count(*) FROM transitions
             WHERE at_us >= ? AND at_us < ? GROUP BY 1, 2, 3, 4 ORDER BY 1, 5 DESC, 2, 3, 4"""
    return connection.execute(sql, (from_us, until_us)).fetchall()


def daily(connection: sqlite3.Connection, grouping: str) -> list[DailyMove]:
    """All ways of a grouping by day (UTC), the oldest first."""
    sql = """SELECT date(at_us / 1000000, 'unixepoch'), source, target, cause, count(*)
             FROM transitions WHERE grouping = ? GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"""
    rows = connection.execute(sql, (grouping,))
    return [DailyMove(date.fromisoformat(day), *rest) for day, *rest in rows]
