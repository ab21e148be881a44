"""Windows: which decisions a conversion may reward, and what those without one earn.

Functions of a connection that run inside the writer's transaction.
"""

import json
import sqlite3
from collections.abc import Iterable

from api.storage.account import WINDOW, Account, Entry, accounts, post
from api.storage.base import Credit, EventRow, Specs
from policy.reward.spec import RewardSpec

LONGEST_TAIL = 500
"""Decisions that may be searched one by one, being younger than `decisions_of_visitor`."""

PLAIN = RewardSpec("Order Completed")
"""Of a placement that is configured no more."""


def open_decisions(
    connection: sqlite3.Connection, event: EventRow, credit: Credit
) -> list[Account]:
    """The decisions in whose window a conversion happened, in the order of the log."""
    through = _indexed_through(connection)
    (last,) = connection.execute("SELECT coalesce(max(seq), 0) FROM decisions").fetchone()
    if last - through > LONGEST_TAIL:
        through = index_decisions(connection)
    where = """d.seq IN (
                   SELECT seq FROM decisions_of_visitor
                   WHERE visitor IN (SELECT value FROM json_each(:visitors))
                     AND closes_at_us > :now_us
                   UNION ALL
                   SELECT seq FROM decisions WHERE seq > :through
                     AND visitor IN (SELECT value FROM json_each(:visitors))
               )
               AND d.closes_at_us > :now_us AND d.decided_at_us <= :now_us
               AND d.placement IN (SELECT value FROM json_each(:placements))"""
    parameters = {
        "visitors": json.dumps(credit.visitors),
        "now_us": event.timestamp_us,
        "through": through,
        "placements": json.dumps(list(credit.specs)),
    }
    return accounts(connection, where, parameters)


def index_decisions(connection: sqlite3.Connection) -> int:
    """Bring `decisions_of_visitor` up to date; returns how far into the log it reaches.

    Rows are added in the order of its key: each page is touched once, however many there are.
    """
    through = _indexed_through(connection)
    connection.execute(
        """INSERT OR IGNORE INTO decisions_of_visitor
           SELECT visitor, closes_at_us, seq FROM decisions WHERE seq > ? ORDER BY 1, 2, 3""",
        (through,),
    )
    (last,) = connection.execute("SELECT coalesce(max(seq), 0) FROM decisions").fetchone()
    if last != through:
        sql = "INSERT OR REPLACE INTO state VALUES ('indexed_through', ?)"
        connection.execute(sql, (b"%d" % last,))
    return int(last)


def _indexed_through(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT data FROM state WHERE key = 'indexed_through'").fetchone()
    return int(row[0]) if row else 0


def void(connection: sqlite3.Connection, seq: int) -> None:
    """Take a decision back that nobody was told of, unless something was earned already."""
    connection.execute(
        """DELETE FROM decisions WHERE seq = ? AND NOT EXISTS (
               SELECT 1 FROM rewards r WHERE r.decision_id = decisions.decision_id)""",
        (seq,),
    )


def void_all(connection: sqlite3.Connection, seqs: Iterable[int]) -> None:
    """The same for all decisions of a list."""
    for seq in seqs:
        void(connection, seq)


def default_rewards(connection: sqlite3.Connection, now_us: int, specs: Specs, limit: int) -> int:
    """Close windows up to `now_us`; see `Store.close_windows`.

    The cursor is kept in the same transaction: (time, place in the log) of the last window that was
    looked at, and the last decision that there was then. Looking twice at a decision does no harm.
    """
    index_decisions(connection)
    cursor = connection.execute("SELECT data FROM state WHERE key = 'closed_through'").fetchone()
    closed_us, closed_seq, seen_seq = map(int, cursor[0].split(b"/")) if cursor else (0, 0, 0)
    if now_us < closed_us:  # the clock was set back: what lies between is due again, later
        closed_us, closed_seq = now_us, 0
    # Decided since, but due before the cursor, as in a replay that goes back in time.
    late = connection.execute(
        """SELECT seq, closes_at_us FROM decisions
           WHERE seq > ? AND +closes_at_us <= ? ORDER BY seq LIMIT ?""",
        (seen_seq, closed_us, limit),
    ).fetchall()
    if len(late) < limit:
        sql = "SELECT coalesce(max(seq), 0) FROM decisions"
        seen_seq = connection.execute(sql).fetchone()[0]
    else:
        seen_seq = late[-1][0]
    rows = connection.execute(
        """SELECT seq, closes_at_us FROM decisions
           WHERE (closes_at_us, seq) > (?, ?) AND closes_at_us <= ?
           ORDER BY closes_at_us, seq LIMIT ?""",
        (closed_us, closed_seq, now_us, limit),
    ).fetchall()
    due = json.dumps([seq for seq, _ in (*late, *rows)])
    for account in accounts(connection, "d.seq IN (SELECT value FROM json_each(?))", (due,)):
        _close(connection, account, specs.get(account.placement, PLAIN), now_us)
    if rows:
        closed_seq, closed_us = rows[-1]
    through = f"{closed_us}/{closed_seq}/{seen_seq}".encode()
    if cursor is None or cursor[0] != through:
        sql = "INSERT OR REPLACE INTO state VALUES ('closed_through', ?)"
        connection.execute(sql, (through,))
    return max(len(rows), len(late))


def _close(connection: sqlite3.Connection, account: Account, spec: RewardSpec, now_us: int) -> None:
    if account.closed or account.reported is not None or not account.counts(spec):
        return
    if account.standing or (account.learned and account.total == spec.default):
        return
    entry = Entry(f"{WINDOW}:{account.decision_id}", WINDOW, now_us)
    post(connection, account, spec, entry, closed=True)
