"""Self-normalised inverse propensity scoring."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from policy.ope.estimators.base import Estimator, Ratio

if TYPE_CHECKING:
    from policy.ope.log import Array
    from policy.ope.sample import Sample


class SNIPS(Ratio, Estimator):
    """IPS over the mean of the weights, which is 1 but for chance.

        V = sum_i w_i r_i / sum_i w_i

    Bias and variance: a bias of order 1/n; mostly of less variance than IPS, bounded by the rewards
    seen, and the same however rewards are shifted.

    Example:
        >>> SNIPS().value(np.array([0.5, 2.0]))
        0.25

    References:
        Swaminathan, Joachims. The Self-Normalized Estimator for Counterfactual Learning. NeurIPS
        2015.
    """

    name: str = "snips"

    def columns(self, sample: Sample) -> Array:
        """Weight times reward, and weight."""
        return np.column_stack((sample.weight * sample.log.reward, sample.weight))
