"""Kernel estimators of what prices earn: rows near the wanted price stand for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from policy.bounds import parameter
from policy.ope.estimators.base import Ratio

if TYPE_CHECKING:
    from policy.ope.estimators.price.sample import PriceSample
    from policy.ope.log import Array


class KernelIPS(Ratio):
    """Rewards weighted by how near the shown price is to the wanted one, over its density.

        V = sum_i w_i r_i / sum_i w_i,    w_i = K((price_i - wanted_i) / h) / (h density_i)
        K(u) = 3/4 (1 - u²) on [-1, 1]

    Next to an end of the row's range K is cut there and times (s2 - s1 u) / (s0 s2 - s1²), with s_j
    the integral of u^j K over what is left: then prices are neither taken for rarer than they are,
    nor for those on the one side. Some of these weights are negative.

    Bias and variance: a bias of order h² times the curvature of the reward; a variance of order
    1 / (n h). `TunedKernel` chooses h.

    Args:
        bandwidth: h, in the unit of the prices, above 0.
        normalised: Divide by the mean weight, which is 1 but for chance, rather than by 1.

    Example:
        >>> from policy.ope.estimators.price.sample import PriceSample
        >>> sample = PriceSample(np.array([5.0, 9.0]), np.full(2, 0.1), np.ones(2), np.full(2, 5.0))
        >>> KernelIPS(1.0).columns(sample)
        array([[7.5, 7.5],
               [0. , 0. ]])

    References:
        Kallus, Zhou. Policy Evaluation and Optimization with Continuous Treatments. AISTATS 2018.
        Gasser, Müller. Kernel Estimation of Regression Functions. 1979 (kernels next to an end).
    """

    name: str = "kernel_snips"

    def __init__(self, bandwidth: float, *, normalised: bool = True) -> None:
        self.bandwidth = parameter("bandwidth", bandwidth, 1e-300)
        self.normalised = normalised
        self.name = "kernel_snips" if normalised else "kernel_ips"

    def columns(self, sample: PriceSample) -> Array:
        """Weight times reward, and weight (1 where not normalised)."""
        weight = self.weight(sample)
        below = weight if self.normalised else np.ones(len(weight))
        return np.column_stack((weight * sample.reward, below))

    def weight(self, sample: PriceSample) -> Array:
        """Of every row, (n,)."""
        u = (sample.price - sample.wanted) / self.bandwidth
        weight: Array = 0.75 * np.maximum(1.0 - u**2, 0.0) / (self.bandwidth * sample.density)
        if sample.low is None or sample.high is None:
            return weight
        above = _moments((sample.high - sample.wanted) / self.bandwidth)
        below = _moments((sample.low - sample.wanted) / self.bandwidth)
        s0, s1, s2 = above - below
        inside: Array = weight * (s2 - s1 * u) / (s0 * s2 - s1**2)
        return inside


def _moments(u: Array) -> Array:
    """Integrals of K, of u K and of u² K up to u, (3, n)."""
    u = u.clip(-1.0, 1.0)
    powers = (u - u**3 / 3.0, u**2 / 2.0 - u**4 / 4.0, u**3 / 3.0 - u**5 / 5.0)
    moments: Array = 0.75 * np.stack(powers)
    return moments
