"""What a price of a grid earns, by the rows that showed this very price."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.ope.estimators.price.kernel import KernelIPS

if TYPE_CHECKING:
    from policy.ope.estimators.price.sample import PriceSample
    from policy.ope.log import Array


class CellIPS(KernelIPS):
    """Rewards of the rows that showed the wanted price, over the probability of that.

        w_i = 1[price_i = wanted_i] / (step density_i)

    A kernel that is even over the wanted price's own cell of the grid: step density is the exact
    probability of the price.

    Bias and variance: none but that of a ratio, for wanted prices on the grid; the largest variance
    of all bandwidths.

    Args:
        step: Distance of two prices of the grid, above 0.
        normalised: See `KernelIPS`.

    Example:
        >>> import numpy as np
        >>> from policy.ope.estimators.price.sample import PriceSample
        >>> sample = PriceSample(np.array([5.0, 9.0]), np.full(2, 0.1), np.ones(2), np.full(2, 5.0))
        >>> CellIPS(1.0).columns(sample)
        array([[10., 10.],
               [ 0.,  0.]])

    References:
        Horvitz, Thompson. A Generalization of Sampling Without Replacement from a Finite Universe.
        JASA 1952.
    """

    def __init__(self, step: float, *, normalised: bool = True) -> None:
        super().__init__(step, normalised=normalised)
        self.name = "price_itself"

    def weight(self, sample: PriceSample) -> Array:
        """Of every row, (n,)."""
        shown = abs(sample.price - sample.wanted) < self.bandwidth / 2.0
        weight: Array = shown / (self.bandwidth * sample.density)
        return weight
