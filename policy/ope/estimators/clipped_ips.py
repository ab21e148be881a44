"""Inverse propensity scoring with a bound on the weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from policy.bounds import parameter
from policy.ope.estimators.base import Estimator, per_row

if TYPE_CHECKING:
    from policy.ope.log import Array
    from policy.ope.sample import Sample


class ClippedIPS(Estimator):
    """IPS whose weights count for at most ``largest``.

        V = 1/n sum_i min(w_i, largest) r_i

    Bias and variance: biased towards zero by the weight that is cut off, and of the less variance
    the lower the bound.

    Args:
        largest: Largest weight, at least 0.

    References:
        Ionides. Truncated Importance Sampling. JCGS 2008.
        Bottou et al. Counterfactual Reasoning and Learning Systems. JMLR 2013.

    Example:
        >>> ClippedIPS(10.0).largest
        10.0
    """

    name: str = "clipped_ips"

    def __init__(self, largest: float) -> None:
        self.largest = parameter("largest", largest, 0.0)

    def columns(self, sample: Sample) -> Array:
        """Clipped weight times reward."""
        return per_row(np.minimum(sample.weight, self.largest) * sample.log.reward)
