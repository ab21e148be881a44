"""Records: one decision with what came of it, and the configurations of a placement.

Functions of a connection, the writer's or one that only reads.
"""

import json
import sqlite3

from api.storage.base import DecisionRow, SettlementRow
from api.storage.record import Configuration, DecisionRecord, RewardEntry, Version, place_of

COLUMNS = ", ".join(DecisionRow._fields)
SELECT_DECISION = f"SELECT {COLUMNS} FROM decisions WHERE decision_id = ?"  # noqa: S608  # names of our own
SELECT_RECORD = f"SELECT seq, {COLUMNS} FROM decisions WHERE decision_id = ?"  # noqa: S608  # as above
_REWARDS = """
    SELECT r.seq, r.reward_id, r.value, r.is_first, r.source, r.received_at_us, r.worth,
           e.name, e.message_id
    FROM rewards r LEFT JOIN events e ON e.seq = r.event_seq
    WHERE r.decision_id = ? ORDER BY r.seq"""
_SETTLEMENTS = """
    SELECT seq, decision_id, action_id, units, cents, at_us, decisions_through
    FROM settlements WHERE decision_id = ? ORDER BY seq"""
_CONFIGURATIONS = f"""
    SELECT {", ".join(Configuration._fields)} FROM configurations
    WHERE placement = ? ORDER BY seq"""  # noqa: S608  # as above


def record_of(connection: sqlite3.Connection, decision_id: str) -> DecisionRecord | None:
    """A decision with what came of it; None where there is none."""
    found = connection.execute(SELECT_RECORD, (decision_id,)).fetchone()
    if found is None:
        return None
    seq, row = found[0], DecisionRow(*found[1:])
    rewards = [
        RewardEntry(*entry)._replace(is_first=bool(entry[3]))
        for entry in connection.execute(_REWARDS, (decision_id,))
    ]
    settlements = [SettlementRow(*one) for one in connection.execute(_SETTLEMENTS, (decision_id,))]
    names = connection.execute("SELECT names FROM layouts WHERE layout = ?", (row.layout,))
    layout = names.fetchone()
    return DecisionRecord(
        seq,
        row,
        tuple(rewards),
        tuple(settlements),
        None if layout is None else json.loads(layout[0]),
        _configuration(connection, row, seq),
    )


def _configuration(
    connection: sqlite3.Connection, row: DecisionRow, seq: int
) -> Configuration | None:
    version = Version.of(row.policy_version)
    if version is None:
        return None
    known = configurations(connection, row.placement)
    place = place_of(known, version.fingerprint, seq)
    return None if place is None else known[place]


def configurations(connection: sqlite3.Connection, placement: str) -> list[Configuration]:
    """Every configuration that a placement decided under, in their order."""
    return [Configuration(*row) for row in connection.execute(_CONFIGURATIONS, (placement,))]


def note_configuration(connection: sqlite3.Connection, configuration: Configuration) -> None:
    """Keep a configuration, unless it is the placement's latest already."""
    before = configurations(connection, configuration.placement)
    if before and before[-1].fingerprint == configuration.fingerprint:
        return
    (last,) = connection.execute("SELECT coalesce(max(seq), 0) FROM decisions").fetchone()
    row = configuration._replace(decisions_through=last)
    columns, marks = ", ".join(row._fields), ", ".join("?" * len(row))
    connection.execute(f"INSERT INTO configurations ({columns}) VALUES ({marks})", row)  # noqa: S608  # names of our own
