"""SWITCH: doubly robust where weights are small, the direct method where they are large."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.bounds import parameter
from policy.ope.estimators.base import Estimator, per_row

if TYPE_CHECKING:
    from policy.ope.log import Array
    from policy.ope.sample import Sample


class SwitchDR(Estimator):
    """Doubly robust without the corrections of weights above ``largest``.

        V = 1/n sum_i [ sum_a target(a | x_i) q(x_i, a)  +  1{w_i <= largest} w_i (r_i - q_i) ]

    Bias and variance: as biased as the model where weights are large, and of no variance there.

    Args:
        largest: Largest weight whose correction counts, at least 0; 0 gives the direct method.

    References:
        Wang, Agarwal, Dudík. Optimal and Adaptive Off-policy Evaluation in Contextual Bandits. ICML
        2017.

    Example:
        >>> SwitchDR(10.0).largest
        10.0
    """

    name: str = "switch_dr"
    needs_model: bool = True

    def __init__(self, largest: float) -> None:
        self.largest = parameter("largest", largest, 0.0)

    def columns(self, sample: Sample) -> Array:
        """What is expected, corrected where the weight allows."""
        direct, residual = sample.modelled()
        counts = sample.weight <= self.largest
        return per_row(direct + counts * sample.weight * residual)
