"""Records: one decision with what came of it, and the policies that were at work.

Functions of a connection, the writer's or one that only reads.
"""

import json
import sqlite3

from api.storage.base import DecisionRow, SettlementRow
from api.storage.record import Deciders, DecisionRecord, RewardEntry
from api.storage.trial import PolicyRow

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
_STEP = "SELECT placement, lineup FROM policy_steps WHERE step = ?"
LATEST_MODEL = """
    SELECT m.learned_through, m.data FROM models m WHERE m.placement = ?1 AND m.policy = (
        SELECT json_extract(lineup, '$.champion') FROM policy_steps
        WHERE placement = ?1 ORDER BY step DESC LIMIT 1)
    ORDER BY m.learned_through DESC LIMIT 1"""
"""Of the policy of a placement that decides now, as it was last saved: (learned_through, data)."""

_POLICY = f"""
    SELECT {", ".join(PolicyRow._fields)} FROM policies
    WHERE placement = ? AND name = ? AND version = ?"""  # noqa: S608  # as above


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
        deciders_of(connection, row.lineup),
    )


def deciders_of(connection: sqlite3.Connection, step: int | None) -> Deciders | None:
    """Which policies decided from a step on; None where the log does not know."""
    found = connection.execute(_STEP, (step,)).fetchone()
    if found is None:
        return None
    placement, text = found
    lineup = json.loads(text)

    def policy(key: str | None) -> PolicyRow | None:
        name, _, version = (key or "").rpartition("@")
        row = connection.execute(_POLICY, (placement, name, version)).fetchone()
        return None if row is None else PolicyRow(*row)

    champion, challenger = policy(lineup["champion"]), policy(lineup["challenger"])
    if champion is None or (lineup["challenger"] is not None and challenger is None):
        return None
    configured = policy(lineup["configured"]["policy"])
    return Deciders(step or 0, champion, challenger, lineup["share"], configured)
