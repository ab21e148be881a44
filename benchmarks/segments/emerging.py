"""Are crowds proposed that are none, and how soon is one that is?

Where it stands: the shops' customers of `purchases` watched from one snapshot to the next, where
nobody planted anything; and a planted kind of customer on synthetic input.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from benchmarks.report import Table
from segments.cluster.emerging import Newcomers
from segments.cluster.family import Cohort
from segments.cluster.fitting import fit_segments
from segments.cluster.kmeans import KMeans
from segments.features.schema import SCHEMA
from segments.pipeline import Pipeline

if TYPE_CHECKING:
    from benchmarks.report import Cell
    from benchmarks.segments.purchases import Snapshot

NAMES = Pipeline.feature_names
UNSEEN = NAMES.index("unseen_days")
K, N_KINDS, WIDTH = 5, 3, 12
N_AT_FIT, NEW_SHARE, N_ROUNDS = 1_000, 0.05, 40
LOOK_EVERY = 50


def unplanted(shop: str, snapshots: list[tuple[float, Snapshot]]) -> list[Cell]:
    """A row: visitors watched, unlike their segment, and proposals, over all spans of a shop.

    Args:
        shop: its name.
        snapshots: with their times in days, the earliest first.
    """
    watched = newcomers = proposals = 0
    for (start, before), (end, after) in pairwise(snapshots):
        cohort = Cohort(before.vectors, NAMES)
        rng = np.random.default_rng(0)
        fitted = fit_segments(KMeans(K), cohort, previous=None, rng=rng)
        watching = Newcomers(fitted, cohort)
        for visitor, vector in zip(after.visitors, after.vectors, strict=True):
            if SCHEMA.readings[UNSEEN].natural(float(vector[UNSEEN])) < end - start:
                watching.observe(visitor, vector)
                watched += 1
        newcomers += len(watching)
        proposals += len(watching.proposals())
    return [shop, watched, newcomers, proposals, None]


def planted(quick: bool) -> list[Cell]:
    """A row: the same for a planted kind, and how many of it were seen until it was proposed."""
    waits, watched, newcomers, proposals = [], 0, 0, 0
    for seed in range(N_ROUNDS // 4 if quick else N_ROUNDS):
        rng = np.random.default_rng(seed)
        kinds = rng.normal(0.0, 1.0, (N_KINDS + 1, WIDTH))
        cohort = Cohort(
            _shop(rng, kinds[:-1], N_AT_FIT), tuple(f"feature_{i}" for i in range(WIDTH))
        )
        fitted = fit_segments(KMeans(N_KINDS), cohort, previous=None, rng=rng)
        watching = Newcomers(fitted, cohort)
        n_new, found = 0, None
        for number in range(4_000):
            is_new = rng.random() < NEW_SHARE
            n_new += is_new
            watching.observe(f"v{number}", _shop(rng, kinds[-1:] if is_new else kinds[:-1], 1)[0])
            if number % LOOK_EVERY == 0 and watching.proposals():
                found = n_new
                break
        watched += number + 1
        newcomers += len(watching)
        proposals += found is not None
        waits.append(4_000 if found is None else found)
    return [f"planted, {len(waits)} times", watched, newcomers, proposals, float(np.median(waits))]


def table(rows: list[list[Cell]]) -> tuple[Table, dict[str, Any]]:
    """All rows."""
    heads = ("visitors", "watched", "unlike their segment", "proposals", "median seen until then")
    names = ("name", "watched", "newcomers", "proposals", "median_wait")
    figures = [dict(zip(names, row, strict=True)) for row in rows]
    return Table("Emerging segments", heads, rows), {"emerging": figures}


def _shop(
    rng: np.random.Generator, kinds: npt.NDArray[np.float64], n: int
) -> npt.NDArray[np.float32]:
    rows = kinds[rng.integers(0, len(kinds), n)] + rng.normal(0.0, 0.4, (n, kinds.shape[1]))
    return rows.astype(np.float32)
