"""Replays: logged decisions derived again, one or many, on a store that may be in use.

Between `segue replay` and `api.loop.rederive`.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from api.loop.chance import Chance
from api.loop.past import Past
from api.loop.rederive import Outcome, rederive
from api.storage.base import DecisionRow
from api.storage.records import COLUMNS, record_of

AT_ONCE = 500

Progress = Callable[[int], None]


class Wanted(NamedTuple):
    """Decisions of one placement, by their places in the log, ascending."""

    placement: str
    seqs: Sequence[int]


def wanted(
    connection: sqlite3.Connection,
    placements: Sequence[str] = (),
    sample: int | None = None,
    seed: int = 0,
) -> list[Wanted]:
    """The decisions of placements, all or a sample of them.

    Args:
        connection: Reads the store.
        placements: Their names; empty for all that have decisions.
        sample: How many of each placement at most, drawn evenly; None for all.
        seed: Of the sample.
    """
    rng = np.random.default_rng(seed)
    found = []
    sql = "SELECT DISTINCT placement FROM decisions ORDER BY 1"
    for name in placements or [name for (name,) in connection.execute(sql)]:
        rows = connection.execute(
            "SELECT seq FROM decisions WHERE placement = ? ORDER BY seq", (name,)
        )
        seqs = np.fromiter((seq for (seq,) in rows), np.int64)
        if sample is not None and sample < len(seqs):
            seqs = np.sort(rng.choice(seqs, sample, replace=False))
        found.append(Wanted(name, seqs.tolist()))
    return found


def replays(
    connection: sqlite3.Connection,
    one: Wanted,
    on_learned: Progress = lambda n: None,
    *,
    from_rewards: bool = False,
) -> Iterator[Outcome]:
    """Decisions derived again, in the order of the log; each model goes on from the one before.

    Args:
        connection: Reads the store.
        one: Which.
        on_learned: Told how many rewards were learned.
        from_rewards: Whether to make models of the rewards alone, and of no snapshot.
    """
    past, chance = Past(connection, one.placement, on_learned, not from_rewards), Chance()
    for start in range(0, len(one.seqs), AT_ONCE):
        seqs = one.seqs[start : start + AT_ONCE]
        marks = ", ".join("?" * len(seqs))
        sql = f"SELECT {COLUMNS} FROM decisions WHERE seq IN ({marks}) ORDER BY seq"  # noqa: S608  # question marks
        for row in connection.execute(sql, seqs).fetchall():
            yield rederive(past, DecisionRow(*row), chance)


def replay(
    connection: sqlite3.Connection,
    decision_id: str,
    on_learned: Progress = lambda n: None,
    *,
    from_rewards: bool = False,
) -> Outcome | None:
    """One decision derived again; None where the log has none of this id."""
    record = record_of(connection, decision_id)
    if record is None:
        return None
    past = Past(connection, record.row.placement, on_learned, not from_rewards)
    return rederive(past, record.row, Chance())
