"""The self-normalised doubly robust estimator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from policy.ope.estimators.base import Estimator

if TYPE_CHECKING:
    from policy.ope.log import Array
    from policy.ope.sample import Sample


class SNDR(Estimator):
    """Doubly robust, its correction over the mean of the weights.

        V = 1/n sum_i sum_a target(a | x_i) q(x_i, a)
            +  sum_i w_i (r_i - q(x_i, a_i)) / sum_i w_i

    Bias and variance: a bias of order 1/n; steadier than the doubly robust estimator where some
    weights are large.

    Example:
        >>> SNDR().value(np.array([0.5, 0.2, 2.0]))
        0.6

    References:
        Robins, Sued, Lei-Gomez, Rotnitzky. Comment: Performance of Double-Robust Estimators When
        "Inverse Probability" Weights Are Highly Variable. Statistical Science 2007.
    """

    name: str = "sndr"
    needs_model: bool = True
    n_columns = 3

    def columns(self, sample: Sample) -> Array:
        """What is expected, weighted residual, weight."""
        direct, residual = sample.modelled()
        return np.column_stack((direct, sample.weight * residual, sample.weight))

    def value(self, means: Array) -> float:
        """Direct part and normalised correction; the direct part alone where no weight is."""
        return float(means[0] + (means[1] / means[2] if means[2] else 0.0))

    def gradient(self, means: Array) -> Array:
        """By the quotient rule."""
        if not means[2]:
            return np.array([1.0, np.nan, np.nan])
        return np.array([1.0, 1.0 / means[2], -means[1] / means[2] ** 2])
