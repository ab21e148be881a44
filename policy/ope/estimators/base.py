"""The contract of an estimator: a few columns a row, and a smooth function of their means.

Between a sample and its tally: what an estimator adds to a row is its columns; everything else,
such as merging, standard errors and bootstraps, is the same for all.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from policy.ope.log import Array
    from policy.ope.sample import Sample
    from policy.ope.tally import Tally


class Estimator(ABC):
    """Estimates what a target policy earns a decision.

    Attributes:
        name: As in the literature, in lower case.
        needs_model: Whether the sample must carry a reward model.
        n_columns: How many columns ``columns`` has.
    """

    name: str
    needs_model: bool = False
    n_columns: int = 1

    @abstractmethod
    def columns(self, sample: Sample) -> Array:
        """What the estimate is made of, (n, n_columns).

        Raises:
            EvaluationError: The sample lacks what the estimator needs.
        """

    def value(self, means: Array) -> float:
        """The estimate at the means of the columns, (n_columns,). Default: the only one."""
        return float(means[0])

    def gradient(self, means: Array) -> Array:
        """Its derivative by the means, (n_columns,)."""
        return np.ones(len(means))

    def settled(self, tally: Tally) -> Estimator:
        """The estimator once its own parameter is chosen from the data; itself if it has none."""
        return self


class Ratio(Estimator):
    """The mean of one column over the mean of another."""

    n_columns = 2

    def value(self, means: Array) -> float:
        """First over second; NaN when the second is 0."""
        return float(means[0] / means[1]) if means[1] else float("nan")

    def gradient(self, means: Array) -> Array:
        """By the quotient rule."""
        if not means[1]:
            return np.full(2, np.nan)
        gradient: Array = np.array([1.0, -means[0] / means[1]]) / means[1]
        return gradient


def per_row(values: Array) -> Array:
    """One column out of a value a row."""
    return values[:, np.newaxis]
