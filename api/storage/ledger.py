"""The books: how rewards come into the log, once each.

Functions of a connection that run inside the writer's transaction, so that looking and writing
cannot be torn apart. A reward row is never changed; what corrects it is a further row.
"""

import json
import sqlite3
from collections.abc import Mapping

from api.storage.base import Credit, EventRow, RewardOutcome, RewardRow

EVENT, EXPLICIT, WINDOW = "event", "explicit", "window"
ONLY = "only"
LONGEST_TAIL = 500
"""Decisions that may be searched one by one, being younger than `decisions_of_visitor`."""

RESERVED = (f"{EVENT}:", f"{WINDOW}:", f"{ONLY}:")
"""How the ids of rewards begin that the service names itself."""

INSERT = """INSERT INTO rewards (reward_id, decision_id, value, is_first, source, received_at_us)
            VALUES (?, ?, ?, ?, ?, ?)"""


def credit_conversion(connection: sqlite3.Connection, event: EventRow, credit: Credit) -> int:
    """Reward the open decisions of a visitor for a conversion.

    A decision is open when the conversion happened in its window and, for `first` aggregation,
    no earlier arrived conversion settled it.

    Returns:
        How many decisions were rewarded.
    """
    n_rewards = 0
    for decision_id, placement, match_value in _open_decisions(connection, event, credit):
        spec = credit.specs[placement]
        sources = _sources(connection, decision_id)
        reward_id = f"{EVENT}:{credit.key}:{decision_id}"
        if (spec.aggregation == "first" and EVENT in sources) or _is_there(connection, reward_id):
            continue
        _take_back_default(connection, decision_id, sources, event.received_at_us)
        value = spec.reward(credit.conversion, match_value)
        row = (reward_id, decision_id, value, not sources, EVENT, event.received_at_us)
        connection.execute(INSERT, row)
        n_rewards += 1
    return n_rewards


def _open_decisions(
    connection: sqlite3.Connection, event: EventRow, credit: Credit
) -> list[tuple[str, str, str | None]]:
    through = _indexed_through(connection)
    (last,) = connection.execute("SELECT coalesce(max(seq), 0) FROM decisions").fetchone()
    if last - through > LONGEST_TAIL:
        through = index_decisions(connection)
    sql = """SELECT decision_id, placement, match_value FROM decisions
             WHERE seq IN (
                 SELECT seq FROM decisions_of_visitor
                 WHERE visitor IN (SELECT value FROM json_each(:visitors))
                   AND closes_at_us > :now_us
                 UNION ALL
                 SELECT seq FROM decisions WHERE seq > :through
                   AND visitor IN (SELECT value FROM json_each(:visitors))
             )
               AND closes_at_us > :now_us AND decided_at_us <= :now_us
               AND placement IN (SELECT value FROM json_each(:placements))
             ORDER BY seq"""
    parameters = {
        "visitors": json.dumps(credit.visitors),
        "now_us": event.timestamp_us,
        "through": through,
        "placements": json.dumps(list(credit.specs)),
    }
    return connection.execute(sql, parameters).fetchall()


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


def explicit_reward(
    connection: sqlite3.Connection, reward: RewardRow, visitors: tuple[str, ...]
) -> RewardOutcome:
    """Append a reward that a client reports; see `Store.append_reward`."""
    decision = connection.execute(
        "SELECT visitor FROM decisions WHERE decision_id = ?", (reward.decision_id,)
    ).fetchone()
    if decision is None:
        return RewardOutcome("unknown")
    if visitors and decision[0] not in visitors:
        return RewardOutcome("foreign")
    before = connection.execute(
        "SELECT decision_id, value FROM rewards WHERE reward_id = ?", (reward.reward_id,)
    ).fetchone()
    if before is not None:
        same = before == (reward.decision_id, reward.value)
        return RewardOutcome("duplicate" if same else "conflict", decision[0])
    sources = _sources(connection, reward.decision_id)
    _take_back_default(connection, reward.decision_id, sources, reward.received_at_us)
    row = (
        reward.reward_id, reward.decision_id, reward.value, not sources, EXPLICIT,
        reward.received_at_us,
    )  # fmt: skip
    connection.execute(INSERT, row)
    return RewardOutcome("counted", decision[0])


def default_rewards(
    connection: sqlite3.Connection, now_us: int, defaults: Mapping[str, float], limit: int
) -> int:
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
        """SELECT seq, decision_id, placement, closes_at_us FROM decisions
           WHERE seq > ? AND +closes_at_us <= ? ORDER BY seq LIMIT ?""",
        (seen_seq, closed_us, limit),
    ).fetchall()
    if len(late) < limit:
        sql = "SELECT coalesce(max(seq), 0) FROM decisions"
        seen_seq = connection.execute(sql).fetchone()[0]
    else:
        seen_seq = late[-1][0]
    rows = connection.execute(
        """SELECT seq, decision_id, placement, closes_at_us FROM decisions
           WHERE (closes_at_us, seq) > (?, ?) AND closes_at_us <= ?
           ORDER BY closes_at_us, seq LIMIT ?""",
        (closed_us, closed_seq, now_us, limit),
    ).fetchall()
    for _, decision_id, placement, _ in (*late, *rows):
        if not _sources(connection, decision_id):
            value = defaults.get(placement, 0.0)
            row = (f"{WINDOW}:{decision_id}", decision_id, value, True, WINDOW, now_us)
            connection.execute(INSERT, row)
    if rows:
        closed_us, closed_seq = rows[-1][3], rows[-1][0]
    through = f"{closed_us}/{closed_seq}/{seen_seq}".encode()
    if cursor is None or cursor[0] != through:
        sql = "INSERT OR REPLACE INTO state VALUES ('closed_through', ?)"
        connection.execute(sql, (through,))
    return max(len(rows), len(late))


def _sources(connection: sqlite3.Connection, decision_id: str) -> dict[str, float]:
    """Source of each reward of a decision, with the sum of its values."""
    sql = "SELECT source, total(value) FROM rewards WHERE decision_id = ? GROUP BY source"
    return dict(connection.execute(sql, (decision_id,)).fetchall())


def _take_back_default(
    connection: sqlite3.Connection, decision_id: str, sources: Mapping[str, float], now_us: int
) -> None:
    """A reward that comes after its window closed replaces the default, by a row that undoes it."""
    given = sources.get(WINDOW, 0.0)
    if given:
        reward_id = f"{WINDOW}:taken-back:{decision_id}"
        connection.execute(INSERT, (reward_id, decision_id, -given, False, WINDOW, now_us))


def _is_there(connection: sqlite3.Connection, reward_id: str) -> bool:
    sql = "SELECT 1 FROM rewards WHERE reward_id = ?"
    return connection.execute(sql, (reward_id,)).fetchone() is not None
