"""Which family, and how many segments: the candidates measured, and one chosen by rule.

What is not stable is not chosen, however well it scores: segments that a second draw of the same
customers would cut differently are accidents. Of the stable ones the one that knows most about the
future wins, or without a future the one best apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from segments.cluster.fitting import fit_segments
from segments.cluster.kmeans import behaviour_scaling
from segments.errors import SegmentationError
from segments.evaluation.migration import segment_ids
from segments.evaluation.separation import Separation, separation
from segments.evaluation.stability import Stability, bootstrap_stability
from segments.evaluation.value import future_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from segments.cluster.family import Cohort, Family

MAX_ROWS: Final = 5_000
"""Visitors that a choice looks at."""


@dataclass(frozen=True, slots=True)
class Criteria:
    """What a segmentation has to hold to be chosen.

    Args:
        ari_mean: least mean adjusted Rand index over the draws.
        ari_min: least of the worst draw.
        smallest: least share of the visitors in the smallest segment.
        noise: most visitors in no segment, as a share.
        churn: most visitors whom a refit may put elsewhere for the same behaviour, as a share.
    """

    ari_mean: float = 0.95
    ari_min: float = 0.8
    smallest: float = 0.005
    noise: float = 0.5
    churn: float = 0.03


@dataclass(frozen=True, slots=True)
class Scored:
    """A candidate with what was measured of it.

    Args:
        name: as given.
        n_segments: noise aside.
        stability: over the draws.
        separation: in the space of behaviour.
        eta_squared: of the target, on visitors that the model was not fitted on; None without.
        churn: share of the visitors whom a refit from the earlier cohort to this one puts
            elsewhere for the same behaviour; None without an earlier one.
        shortfalls: criteria that it misses, in words; none for a stable one.
    """

    name: str
    n_segments: int
    stability: Stability
    separation: Separation
    eta_squared: float | None
    churn: float | None
    shortfalls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """The candidates, and the one that was chosen.

    Args:
        scored: in the order given.
        chosen: its name.
        reason: why, in words.
    """

    scored: tuple[Scored, ...]
    chosen: str
    reason: str


def choose(
    candidates: Mapping[str, Family],
    cohort: Cohort,
    rng: np.random.Generator,
    criteria: Criteria | None = None,
    *,
    earlier: Cohort | None = None,
    n_draws: int = 20,
) -> Choice:
    """Measures candidates and picks one.

    Args:
        candidates: families by name, such as k-means with several numbers of segments.
        cohort: whom to measure on, at most 5,000 of them; with a target, its explanation decides.
        rng: draws visitors, and seeds the fits.
        criteria: what a candidate has to hold.
        earlier: the visitors some time before, such as a month; with them, steadiness under
            a refit counts, too.
        n_draws: draws for the stability of each.

    Raises:
        SegmentationError: if there is no candidate.
    """
    if not candidates:
        raise SegmentationError("no candidates to choose from: name at least one family")
    if len(cohort) > MAX_ROWS:
        cohort = cohort.rows(np.sort(rng.choice(len(cohort), MAX_ROWS, replace=False)))
    bars = criteria or Criteria()
    judge = _Judge(cohort, earlier, bars, rng, n_draws)
    scored = tuple(judge.score(name, family) for name, family in candidates.items())
    passing = [one for one in scored if not one.shortfalls]
    if not passing:
        best = max(scored, key=lambda one: one.stability.ari_mean)
        return Choice(scored, best.name, "none meets the criteria; the most stable one")
    if cohort.target is not None:
        best = max(passing, key=lambda one: one.eta_squared or 0.0)
        return Choice(scored, best.name, "knows most about the future of those that are stable")
    best = max(passing, key=lambda one: one.separation.silhouette or -1.0)
    return Choice(scored, best.name, "best apart of those that are stable")


@dataclass(frozen=True, slots=True)
class _Judge:
    """Measures candidates against the same visitors and criteria."""

    cohort: Cohort
    earlier: Cohort | None
    bars: Criteria
    rng: np.random.Generator
    n_draws: int

    def score(self, name: str, family: Family) -> Scored:
        cohort, rng = self.cohort, self.rng
        model = family.fit(cohort, None, rng)
        stability = bootstrap_stability(family, cohort, model, rng, self.n_draws)
        points = behaviour_scaling(cohort).apply(cohort.vectors)
        apart = separation(points, model.labels(cohort.vectors), rng)
        value = None if cohort.target is None else _crossed_value(family, cohort, rng)
        churn = None if self.earlier is None else self._churn(family, self.earlier)
        missed = _shortfalls(stability, apart, churn, self.bars)
        return Scored(name, model.n_labels, stability, apart, value, churn, missed)

    def _churn(self, family: Family, earlier: Cohort) -> float:
        first = fit_segments(family, earlier, previous=None, rng=self.rng)
        second = fit_segments(family, self.cohort, previous=first, rng=self.rng)
        old, new = (segment_ids(fit, self.cohort.vectors) for fit in (first, second))
        return float(np.mean([a != b for a, b in zip(old, new, strict=True)]))


def _crossed_value(family: Family, cohort: Cohort, rng: np.random.Generator) -> float:
    """Eta squared on the half of the visitors that a model was not fitted on, mean of both."""
    half = rng.permutation(len(cohort)) % 2
    found = []
    for side in (0, 1):
        fitted_on = cohort.rows(np.flatnonzero(half != side))
        judge = cohort.rows(np.flatnonzero(half == side))
        labels = family.fit(fitted_on, None, rng).labels(judge.vectors)
        found.append(future_value(labels, judge.needed_target()).eta_squared)
    return float(np.mean(found))


def _shortfalls(
    stability: Stability, apart: Separation, churn: float | None, bars: Criteria
) -> tuple[str, ...]:
    checks = (
        (stability.ari_mean >= bars.ari_mean, f"mean ARI {stability.ari_mean:.3f}"),
        (stability.ari_min >= bars.ari_min, f"minimum ARI {stability.ari_min:.3f}"),
        (apart.smallest >= bars.smallest, f"smallest segment {apart.smallest:.2%}"),
        (apart.noise <= bars.noise, f"noise {apart.noise:.0%}"),
        (apart.entropy > 0.0, "a single segment"),
        (churn is None or churn <= bars.churn, f"model churn {churn or 0.0:.1%}"),
    )
    return tuple(said for holds, said in checks if not holds)
