"""The contract of an estimator: a few columns a row, and a smooth function of their means.

Between a sample and its tally: what an estimator adds to a row is its columns; everything else,
such as merging, standard errors and bootstraps, is the same for all.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from policy.bounds import whole_parameter
from policy.errors import EvaluationError

if TYPE_CHECKING:
    from policy.ope.log import Array
    from policy.ope.sample import Sample
    from policy.ope.tally import Tally


MOST_SLOTS = 1_000


class Functional:
    """An estimate as a smooth function of the means of some columns.

    All that merging, standard errors and intervals need of it, whatever kind of log the columns are
    made from.

    Attributes:
        name: As in the literature, in lower case.
        n_columns: How many columns there are.
    """

    name: str
    n_columns: int = 1

    def value(self, means: Array) -> float:
        """The estimate at the means of the columns, (n_columns,). Default: the only one."""
        return float(means[0])

    def gradient(self, means: Array) -> Array:
        """Its derivative by the means, (n_columns,)."""
        return np.ones(len(means))

    def settled(self, tally: Tally) -> Functional:
        """The estimate once its own parameter is chosen from the data; itself if it has none."""
        return self

    def trusted(self) -> Functional:
        """What error and interval are of: the estimate less any part of an unknown bias."""
        return self

    def stretch(self, tally: Tally) -> float:
        """Factor, at least 1, by which the error is known to be larger than the log shows."""
        return 1.0


class Estimator(Functional, ABC):
    """Estimates what a target policy earns a decision, from a log of single actions.

    Attributes:
        needs_model: Whether the sample must carry a reward model.
    """

    needs_model: bool = False

    @abstractmethod
    def columns(self, sample: Sample) -> Array:
        """What the estimate is made of, (n, n_columns).

        Raises:
            EvaluationError: The sample lacks what the estimator needs.
        """


class Ratio(Functional):
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


class SumOfMeans(Functional):
    """A weighted mean for every slot or step, added up; plain, or normalised one by one.

        V = sum_l  E_n[w_l r_l]    or    sum_l  E_n[w_l r_l] / E_n[w_l]

    Args:
        n_slots: How many there are.
        normalised: Whether the weights of a slot are divided by their mean.
    """

    name: str = "sum_of_means"

    def __init__(self, n_slots: int, *, normalised: bool = False) -> None:
        self.n_slots = whole_parameter("n_slots", n_slots, 1, MOST_SLOTS)
        self.normalised = normalised
        self.name = f"{self.name}_sn" if normalised else self.name
        self.n_columns = 2 * self.n_slots if normalised else 1

    def weighted(self, weights: Array, rewards: Array) -> Array:
        """Columns of weights and rewards, each (n, n_slots).

        Raises:
            EvaluationError: Another number of slots.
        """
        if weights.shape[1] != self.n_slots:
            raise EvaluationError(f"{weights.shape[1]} slots or steps: must be {self.n_slots}")
        products = weights * rewards
        if self.normalised:
            return np.hstack((products, weights))
        return per_row(products.sum(axis=1))

    def value(self, means: Array) -> float:
        """The sum of the ratios; NaN where a slot has no weight."""
        if not self.normalised:
            return float(means[0])
        rewards, weights = means[: self.n_slots], means[self.n_slots :]
        return float((rewards / weights).sum()) if weights.all() else float("nan")

    def gradient(self, means: Array) -> Array:
        """By the quotient rule, one by one."""
        if not self.normalised:
            return np.ones(1)
        rewards, weights = means[: self.n_slots], means[self.n_slots :]
        if not weights.all():
            return np.full(len(means), np.nan)
        return np.concatenate((1.0 / weights, -rewards / weights**2))


def per_row(values: Array) -> Array:
    """One column out of a value a row."""
    return values[:, np.newaxis]
