"""How often the gate lets a segmentation pass that is no better than the one in use.

Where it stands: real customers' spend of 90 days, and two segmentations by past spend that are
equally good: each sees it through noise of its own. One better than the other is beside them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.report import Table
from segments.cluster.family import Cohort
from segments.cluster.kmeans import KMeans
from segments.evaluation.gate import weigh

if TYPE_CHECKING:
    import numpy.typing as npt

    from benchmarks.report import Cell
    from benchmarks.segments.purchases import Snapshot

N_TRIALS, QUICK_TRIALS = 400, 20
N_VISITORS = 1_000
NAMES = ("one", "other")
NOISE, LESS_NOISE = 1.0, 0.2


def passed(shop: str, today: Snapshot, quick: bool) -> list[Cell]:
    """A row: share of the trials in which an equally good one, and a better one, passed.

    Args:
        shop: its name.
        today: customers with what they went on to spend.
        quick: fewer trials.
    """
    n_trials = QUICK_TRIALS if quick else N_TRIALS
    rng = np.random.default_rng(0)
    shares = [
        float(np.mean([_passes(today, rng, noise) for _ in range(n_trials)]))
        for noise in (NOISE, LESS_NOISE)
    ]
    return [shop, n_trials, *shares]


def table(rows: list[list[Cell]]) -> tuple[Table, dict[str, Any]]:
    """All rows."""
    heads = ("customers", "trials", "equally good, passed", "better, passed")
    names = ("name", "trials", "equal", "better")
    figures = [dict(zip(names, row, strict=True)) for row in rows]
    return Table("The gate, at an error of 5 %", heads, rows), {"gate": figures}


def _passes(today: Snapshot, rng: np.random.Generator, noise: float) -> bool:
    rows = rng.integers(0, len(today.visitors), N_VISITORS)
    past = np.log1p(np.maximum(today.past_cents[rows], 0.0))
    later = Cohort(_seen(past, rng, noise), NAMES, today.future_cents[rows])
    challenger, incumbent = (
        KMeans(4, features=(name,)).fit(later, None, np.random.default_rng(0)) for name in NAMES
    )
    return weigh(challenger, incumbent, later, rng).promoted


def _seen(
    past: npt.NDArray[np.float64], rng: np.random.Generator, noise: float
) -> npt.NDArray[np.float32]:
    """Past spend through the noise of the challenger, and of the incumbent."""
    own, other = rng.normal(0.0, noise, len(past)), rng.normal(0.0, NOISE, len(past))
    return np.column_stack([past + own, past + other]).astype(np.float32)
