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
from segments.evaluation.criteria import Criteria, Findings, baseline_value, shortfalls
from segments.evaluation.migration import segment_ids
from segments.evaluation.separation import Separation, separation
from segments.evaluation.stability import Stability, bootstrap_stability
from segments.evaluation.value import future_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt

    from segments.cluster.family import Cohort, Family

MAX_ROWS: Final = 5_000
"""Visitors that a choice looks at."""


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
        baseline: eta squared of the better of RFM and past spend; None where it is not known.
        beside: what was measured beside them, and could not be chosen.
    """

    scored: tuple[Scored, ...]
    chosen: str
    reason: str
    baseline: float | None = None
    beside: Scored | None = None

    @property
    def winner(self) -> Scored:
        """The one that was chosen, with its measurements."""
        return next(one for one in self.scored if one.name == self.chosen)


def choose(  # noqa: PLR0913  # all but three have a default
    candidates: Mapping[str, Family],
    cohort: Cohort,
    rng: np.random.Generator,
    criteria: Criteria | None = None,
    *,
    earlier: Cohort | None = None,
    n_draws: int = 20,
    beside: tuple[str, Family] | None = None,
    told: Callable[[Scored], None] | None = None,
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
        beside: name and family of one to measure on the same visitors and not to choose, such as
            that of the segmentation in use.
        told: is called with each as it is measured, for a progress bar.

    Raises:
        SegmentationError: if there is no candidate.
    """
    if not candidates:
        raise SegmentationError("no candidates to choose from: name at least one family")
    if len(cohort) > MAX_ROWS:
        cohort = cohort.rows(np.sort(rng.choice(len(cohort), MAX_ROWS, replace=False)))
    judge = _Judge(cohort, earlier, criteria or Criteria(), rng, n_draws)
    scored = []
    for name, family in (*candidates.items(), *([] if beside is None else [beside])):
        scored.append(judge.score(name, family))
        if told is not None:
            told(scored[-1])
    last = None if beside is None else scored.pop()
    best, reason = _best(scored, has_future=cohort.target is not None)
    return Choice(tuple(scored), best.name, reason, judge.baseline, last)


def _best(scored: list[Scored], *, has_future: bool) -> tuple[Scored, str]:
    passing = [one for one in scored if not one.shortfalls]
    if not passing:
        best = max(scored, key=lambda one: one.stability.ari_mean)
        return best, "none meets the criteria; the most stable one"
    if has_future:
        best = max(passing, key=lambda one: one.eta_squared or 0.0)
        return best, "knows most about the future of those that are stable"
    best = max(passing, key=lambda one: one.separation.silhouette or -1.0)
    return best, "best apart of those that are stable"


class _Judge:
    """Measures candidates against the same visitors and criteria."""

    def __init__(
        self,
        cohort: Cohort,
        earlier: Cohort | None,
        bars: Criteria,
        rng: np.random.Generator,
        n_draws: int,
    ) -> None:
        self._cohort, self._earlier = cohort, earlier
        self._bars, self._rng, self._n_draws = bars, rng, n_draws
        self._half = rng.permutation(len(cohort)) % 2  # the same for all, so that they compare
        self.baseline = None if cohort.target is None else baseline_value(self._value)

    def score(self, name: str, family: Family) -> Scored:
        cohort, rng = self._cohort, self._rng
        model = family.fit(cohort, None, rng)
        stability = bootstrap_stability(family, cohort, model, rng, self._n_draws)
        points = behaviour_scaling(cohort).apply(cohort.vectors)
        apart = separation(points, model.labels(cohort.vectors), rng)
        value = None if cohort.target is None else self._value(family)
        churn = None if self._earlier is None else self._churn(family, self._earlier)
        found = Findings(stability, apart, churn, value, self.baseline)
        missed = shortfalls(found, self._bars)
        return Scored(name, model.n_labels, stability, apart, value, churn, missed)

    def _value(self, family: Family) -> float:
        return crossed_value(family, self._cohort, self._half, self._rng)

    def _churn(self, family: Family, earlier: Cohort) -> float:
        first = fit_segments(family, earlier, previous=None, rng=self._rng)
        second = fit_segments(family, self._cohort, previous=first, rng=self._rng)
        old, new = (segment_ids(fit, self._cohort.vectors) for fit in (first, second))
        return float(np.mean([a != b for a, b in zip(old, new, strict=True)]))


def crossed_value(
    family: Family, cohort: Cohort, half: npt.NDArray[np.intp], rng: np.random.Generator
) -> float:
    """Eta squared on the half of the visitors that a model was not fitted on, mean of both.

    Args:
        family: how to fit.
        cohort: with a target.
        half: 0 or 1 for each visitor, shape (n,).
        rng: seeds the fits.

    Raises:
        SegmentationError: if the cohort has no target, or lacks what the family needs.
    """
    found = []
    for side in (0, 1):
        judge = cohort.rows(np.flatnonzero(half == side))
        fitted_on = cohort.rows(np.flatnonzero(half != side))
        labels = family.fit(fitted_on, None, rng).labels(judge.vectors)
        found.append(future_value(labels, judge.needed_target()).eta_squared)
    return float(np.mean(found))
