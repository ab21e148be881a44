"""Doubly robust with optimistic shrinkage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.bounds import parameter
from policy.ope.estimators.base import Estimator, per_row

if TYPE_CHECKING:
    from policy.ope.log import Array
    from policy.ope.sample import Sample


class DRos(Estimator):
    """Doubly robust with weights shrunk the more the larger they are.

        V = 1/n sum_i [ sum_a target(a | x_i) q(x_i, a)  +  v_i (r_i - q_i) ]
        v = shrinkage w / (w² + shrinkage)

    Bias and variance: from the direct method (``shrinkage`` 0) to doubly robust (infinite),
    minimising a bound on the mean squared error between.

    Args:
        shrinkage: At least 0.

    References:
        Su, Dimakopoulou, Krishnamurthy, Dudík. Doubly Robust Off-policy Evaluation with Shrinkage.
        ICML 2020.

    Example:
        >>> DRos(10.0).shrinkage
        10.0
    """

    name: str = "dros"
    needs_model: bool = True

    def __init__(self, shrinkage: float) -> None:
        self.shrinkage = parameter("shrinkage", shrinkage, 0.0)

    def columns(self, sample: Sample) -> Array:
        """What is expected, corrected by shrunk weights."""
        direct, residual = sample.modelled()
        square = sample.weight**2 + self.shrinkage
        shrunk = self.shrinkage * sample.weight / (square + (square == 0.0))
        return per_row(direct + shrunk * residual)
