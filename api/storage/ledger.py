"""The books: how rewards come into the log, once each.

Functions of a connection that run inside the writer's transaction, so that looking and writing
cannot be torn apart. A reward row is never changed; what corrects it is a further row.
"""

import sqlite3
from collections.abc import Mapping

from api.storage.base import Credit, EventRow, RewardOutcome, RewardRow

EVENT, EXPLICIT, WINDOW = "event", "explicit", "window"
ONLY = "only"
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
    sql = f"""SELECT decision_id, placement, match_value FROM decisions
              WHERE visitor IN ({_marks(credit.visitors)}) AND closes_at_us > ?
                AND decided_at_us <= ? AND placement IN ({_marks(credit.specs)})
              ORDER BY seq"""  # noqa: S608  # question marks
    parameters = (*credit.visitors, event.timestamp_us, event.timestamp_us, *credit.specs)
    n_rewards = 0
    for decision_id, placement, match_value in connection.execute(sql, parameters).fetchall():
        spec = credit.specs[placement]
        sources = _sources(connection, decision_id)
        if spec.aggregation == "first" and EVENT in sources:
            continue
        _take_back_default(connection, decision_id, sources, event.received_at_us)
        value = spec.reward(credit.conversion, match_value)
        reward_id = f"{EVENT}:{event.message_id}:{decision_id}"
        row = (reward_id, decision_id, value, not sources, EVENT, event.received_at_us)
        connection.execute(INSERT, row)
        n_rewards += 1
    return n_rewards


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

    The cursor (time, place in the log) of what was looked at is kept in the same transaction.
    """
    cursor = connection.execute("SELECT data FROM state WHERE key = 'closed_through'").fetchone()
    closed_us, closed_seq = map(int, cursor[0].split(b"/")) if cursor else (0, 0)
    rows = connection.execute(
        """SELECT seq, decision_id, placement, closes_at_us FROM decisions
           WHERE (closes_at_us, seq) > (?, ?) AND closes_at_us <= ?
           ORDER BY closes_at_us, seq LIMIT ?""",
        (closed_us, closed_seq, now_us, limit),
    ).fetchall()
    for _, decision_id, placement, _ in rows:
        if not _sources(connection, decision_id):
            value = defaults.get(placement, 0.0)
            row = (f"{WINDOW}:{decision_id}", decision_id, value, True, WINDOW, now_us)
            connection.execute(INSERT, row)
    if rows:
        connection.execute(
            "INSERT OR REPLACE INTO state VALUES ('closed_through', ?)",
            (f"{rows[-1][3]}/{rows[-1][0]}".encode(),),
        )
    return len(rows)


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


def _marks(values: object) -> str:
    return ", ".join("?" * len(values))  # type: ignore[arg-type]  # a sized collection
