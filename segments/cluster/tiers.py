"""RFM bins and spend tiers: the baselines that learned segments have to beat.

References:
    A. M. Hughes, "Strategic Database Marketing", 1994 (RFM).
    J. Curry, A. Curry, "The Customer Marketing Method", 2000 (the pyramid: the top 1 %, the next
    4 %, the next 15 %, and the rest).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from segments.cluster.assign.tiers import (
    RFM_FEATURES,
    ExpectedSpendTiers,
    RfmBins,
    SpendTiers,
    Tiers,
    rfm_sums,
)
from segments.cluster.churn_budget import check_budget, within_budget
from segments.cluster.segmentation import MAX_SEGMENTS
from segments.errors import SegmentationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from segments.cluster.assign.base import Assigner, Floats, Labels
    from segments.cluster.family import Cohort

PYRAMID: Final = (0.8, 0.95, 0.99)
"""Shares of the visitors below each cut of the customer pyramid."""
QUINTILES: Final = (0.2, 0.4, 0.6, 0.8)


@dataclass(frozen=True, slots=True)
class ValueTiers:
    """The family of tiers by money, past or expected.

    Args:
        shares: share of the visitors below each cut, increasing, each above 0 and below 1.
        expected: by the spend expected in the next 30 days (`segments.cluster.worth`) instead of
            that so far.
        max_churn: of a refit, see `segments.cluster.churn_budget`; None for no bound.

    Raises:
        SegmentationError: if the shares do not increase between 0 and 1, or the budget is none.
    """

    shares: tuple[float, ...] = PYRAMID
    expected: bool = True
    max_churn: float | None = None

    def __post_init__(self) -> None:
        check_budget(self.max_churn)
        inner = (0.0, *self.shares, 1.0)
        if any(not low < high for low, high in pairwise(inner)):
            raise SegmentationError(f"shares must increase, above 0 and below 1, got {self.shares}")

    def fit(self, cohort: Cohort, previous: Assigner | None, rng: np.random.Generator) -> Assigner:
        """See `Family.fit`."""
        kind: type[Tiers] = ExpectedSpendTiers if self.expected else SpendTiers
        columns = cohort.columns(kind.needs)
        scores = kind(columns, np.empty(0)).scores(cohort.vectors.take(columns, axis=1))
        optimum = kind(columns, distinct_cuts(scores, self.shares))
        if not isinstance(previous, kind):
            return optimum
        # Cuts are of the lowest tier first, whatever labels the model in use has by now.
        optimum = kind(columns, optimum.cuts, _labels_of(previous, optimum.n_labels))
        return within_budget(
            cohort.vectors, previous, optimum, partial(_between, previous, optimum), self.max_churn
        )


@dataclass(frozen=True, slots=True)
class Rfm:
    """The family of RFM sums in bins of about the same size.

    A refit keeps the cuts of the sum while they leave no bin empty: there are only 13 sums, and a
    cut that goes from one to the next takes a tenth of the visitors along.

    Args:
        n_bins: 2 to 12; fewer are made where sums repeat.

    Raises:
        SegmentationError: if the number is out of range.
    """

    n_bins: int = 5

    def __post_init__(self) -> None:
        if not 2 <= self.n_bins <= MAX_SEGMENTS:
            raise SegmentationError(f"n_bins must be 2 to {MAX_SEGMENTS}, got {self.n_bins}")

    def fit(self, cohort: Cohort, previous: Assigner | None, rng: np.random.Generator) -> Assigner:
        """See `Family.fit`."""
        columns = cohort.columns(RFM_FEATURES)
        values = cohort.vectors.take(columns, axis=1).astype(np.float64)
        quintiles = np.quantile(values, QUINTILES, axis=0).T
        sums = rfm_sums(values, quintiles)
        if isinstance(previous, RfmBins):
            kept = RfmBins(columns, previous.cuts, previous.tier_labels, quintiles=quintiles)
            if len(np.unique(kept.labels(cohort.vectors))) == self.n_bins:
                return kept
        shares = np.arange(1, self.n_bins) / self.n_bins
        return RfmBins(columns, distinct_cuts(sums, shares.tolist()), quintiles=quintiles)


def _labels_of(previous: Tiers, n_labels: int) -> Labels | None:
    """The labels of the model in use, so that the same tier is compared with the same."""
    return previous.tier_labels if previous.n_labels == n_labels else None


def _between(old: Tiers, new: Tiers, way: float) -> Tiers:
    return type(old)(old.columns, (1.0 - way) * old.cuts + way * new.cuts, old.tier_labels)


def distinct_cuts(scores: Floats, shares: Sequence[float]) -> Floats:
    """Scores below or at which those shares lie, without cuts that would leave a tier empty.

    Example:
        >>> distinct_cuts(np.array([1.0, 1.0, 1.0, 2.0, 9.0]), [0.2, 0.4, 0.7, 0.9]).tolist()
        [1.0, 2.0]
    """
    ordered = np.sort(scores)
    cuts = np.unique(np.quantile(ordered, shares, method="inverted_cdf"))
    # A tier lies above its cut and at or below the next; the last needs somebody, too.
    return cuts[cuts < ordered[-1]] if len(cuts) else cuts
