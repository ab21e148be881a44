"""The contract of an estimator of lists."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from policy.ope.estimators.base import Functional, SumOfMeans

if TYPE_CHECKING:
    from policy.ope.estimators.slate.sample import SlateSample
    from policy.ope.log import Array


class SlateEstimator(Functional, ABC):
    """Estimates what a target policy earns a list, all slots together."""

    @abstractmethod
    def columns(self, sample: SlateSample) -> Array:
        """What the estimate is made of, (n, n_columns).

        Raises:
            EvaluationError: The sample lacks what the estimator needs.
        """


class SlotWeighted(SumOfMeans, SlateEstimator):
    """A weight for every slot, plain or normalised slot by slot; see `SumOfMeans`."""

    @abstractmethod
    def weights(self, sample: SlateSample) -> Array:
        """Of every slot, (n, n_slots)."""

    def columns(self, sample: SlateSample) -> Array:
        """Weighted rewards of all slots together; normalised: of each slot, then its weights."""
        return self.weighted(self.weights(sample), sample.reward)
