"""What is measured of each family on each shop.

Where it stands: snapshots of `purchases` in, rows of the tables out. A model that learns from a
target is fitted on the customers 90 days ago and what they have spent since; all others on the
customers of today. Everything is judged on the 90 days after.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from segments.cluster.assign.tiers import RFM_FEATURES, rfm_sums
from segments.cluster.density import Dbscan, Hdbscan
from segments.cluster.family import Cohort, Family
from segments.cluster.fitting import fit_segments
from segments.cluster.kmeans import KMeans, behaviour_scaling
from segments.cluster.neural import NeuralEncoder
from segments.cluster.tiers import QUINTILES, Rfm, ValueTiers
from segments.cluster.tree_rules import TreeRules, explain
from segments.evaluation.choice import Choice, choose
from segments.evaluation.migration import Migration, migration
from segments.evaluation.search import learns
from segments.evaluation.separation import Separation, separation
from segments.evaluation.stability import Stability, bootstrap_stability
from segments.evaluation.value import Value, future_value, group_means
from segments.pipeline import Pipeline

if TYPE_CHECKING:
    from benchmarks.segments.purchases import Snapshot
    from segments.cluster.segmentation import Segmentation

CHURN: Final = 0.03
"""Visitors that a refit may rename for the same behaviour, as a share."""
CANDIDATES: Final[dict[str, Family]] = {
    **{f"k-means, k={k}": KMeans(k, CHURN) for k in range(3, 9)},
    "HDBSCAN": Hdbscan(),
    "DBSCAN": Dbscan(),
    "tree rules": TreeRules(),
    "RFM, 5 bins": Rfm(),
    "past-spend pyramid": ValueTiers(expected=False, max_churn=CHURN),
    "expected-spend pyramid": ValueTiers(max_churn=CHURN),
}
NEURAL: Final[dict[str, Family]] = {
    "neural encoder, k=5": NeuralEncoder(5, max_churn=CHURN),
    "neural encoder with foresight, k=6": NeuralEncoder(6, foresight=True, max_churn=CHURN),
}
if find_spec("torch"):
    CANDIDATES |= NEURAL
BASELINES: Final = ("RFM, 5 bins", "past-spend pyramid")
"""Measured, and not chosen: they are what a segmentation has to beat."""
SEED: Final = 7


@dataclass(frozen=True, slots=True, eq=False)
class Times:
    """One shop at five moments.

    Args:
        earlier: a month before the next one: what was known for choosing.
        before: 90 days before the first fit.
        fitted: the first fit.
        before_refit: 90 days before the refit.
        refitted: the refit, a month after the first fit.
    """

    earlier: Snapshot
    before: Snapshot
    fitted: Snapshot
    before_refit: Snapshot
    refitted: Snapshot


@dataclass(frozen=True, slots=True)
class Measured:
    """One family on one shop."""

    name: str
    n_segments: int
    stability: Stability
    separation: Separation
    moved: Migration
    spend: Value
    conversion: Value


@dataclass(frozen=True, slots=True)
class Baselines:
    """Eta squared on future spend of what segments have to beat."""

    rfm_sums: float
    spend_quintiles: float
    spend_pyramid: float


@dataclass(frozen=True, slots=True)
class Explained:
    """The chosen segmentation in rules."""

    fidelity: float
    eta_squared: float
    n_leaves: int
    rules: tuple[tuple[str, str], ...]


def pick(times: Times, n_draws: int) -> Choice:
    """The choice of a family and its number of segments, by what was known at the first fit."""
    rng = np.random.default_rng(SEED)
    earlier = _cohort(times.earlier)
    candidates = {name: one for name, one in CANDIDATES.items() if name not in BASELINES}
    return choose(candidates, _cohort(times.before), rng, earlier=earlier, n_draws=n_draws)


def measure(name: str, times: Times, n_draws: int) -> Measured:
    """Everything about one candidate."""
    family = CANDIDATES[name]
    first, cohort = fit_first(name, times)
    second = fit_segments(
        family,
        _cohort(times.before_refit if learns(family) else times.refitted),
        previous=first,
        rng=np.random.default_rng(SEED + 1),
    )
    today = times.fitted
    labels = first.assign_many(today.vectors)
    earlier = first.assign_many(times.before.vectors)
    rng = np.random.default_rng(SEED)
    return Measured(
        name,
        first.assigner.n_labels,
        bootstrap_stability(family, cohort, first.assigner, rng, n_draws),
        separation(_points(today), labels, rng),
        migration(
            first,
            second,
            (today.visitors, today.vectors),
            (times.refitted.visitors, times.refitted.vectors),
        ),
        _value(labels, today.future_cents, earlier, times.before.future_cents),
        _value(labels, bought(today), earlier, bought(times.before)),
    )


def fit_first(name: str, times: Times) -> tuple[Segmentation, Cohort]:
    """The segmentation of the first fit, and whom it was fitted on."""
    family = CANDIDATES[name]
    cohort = _cohort(times.before if learns(family) else times.fitted)
    rng = np.random.default_rng(SEED)
    return fit_segments(family, cohort, previous=None, rng=rng), cohort


def baselines(today: Snapshot) -> Baselines:
    """What the RFM sum and past spend know, each sum being a group of its own."""
    names = Pipeline.feature_names
    columns = [names.index(name) for name in RFM_FEATURES]
    values = today.vectors[:, columns].astype(np.float64)
    sums = rfm_sums(values, np.quantile(values, QUINTILES, axis=0).T).astype(np.intp)
    quintiles = np.quantile(today.past_cents, QUINTILES)
    pyramid = np.quantile(today.past_cents, (0.8, 0.95, 0.99))

    def known(labels: npt.NDArray[np.intp]) -> float:
        return future_value(labels, today.future_cents).eta_squared

    return Baselines(
        known(sums),
        known(np.searchsorted(quintiles, today.past_cents)),
        known(np.searchsorted(pyramid, today.past_cents)),
    )


def in_rules(name: str, times: Times) -> Explained:
    """The surrogate tree of a segmentation, and what its rules know of the future."""
    first, _ = fit_first(name, times)
    said = explain(first, _cohort(times.fitted), np.random.default_rng(SEED))
    labels = said.tree.labels(times.fitted.vectors)
    known = future_value(labels, times.fitted.future_cents).eta_squared
    return Explained(said.fidelity, known, said.n_leaves, said.rules)


def bought(snapshot: Snapshot) -> npt.NDArray[np.float64]:
    """1 for each customer who bought in the 90 days after, else 0."""
    return (snapshot.future_cents > 0.0).astype(np.float64)


def _cohort(snapshot: Snapshot) -> Cohort:
    return Cohort(snapshot.vectors, Pipeline.feature_names, snapshot.future_cents)


def _points(snapshot: Snapshot) -> npt.NDArray[np.float64]:
    return behaviour_scaling(_cohort(snapshot)).apply(snapshot.vectors)


def _value(
    labels: npt.NDArray[np.intp],
    outcome: npt.NDArray[np.float64],
    earlier: npt.NDArray[np.intp],
    earlier_outcome: npt.NDArray[np.float64],
) -> Value:
    """Value on an outcome, calibrated by what the same segments did in the 90 days before."""
    n = max(int(labels.max()), int(earlier.max())) + 2
    foreseen = np.full(n, earlier_outcome.mean())
    foreseen[np.unique(earlier)] = group_means(earlier, earlier_outcome)
    return future_value(labels, outcome, foreseen)
