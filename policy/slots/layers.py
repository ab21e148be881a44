"""Lists by weights: each slot proportional to what is left of them (Plackett-Luce), in layers.

One of the conditionals of a list. It is a few numbers per candidate, so the log can hold all of it,
and every probability of every list can be had from the log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from policy.bounds import bounded, parameter
from policy.errors import DecisionError
from policy.slots.base import Array, Conditionals, Mask

if TYPE_CHECKING:
    from policy.slots.base import Plan

LARGEST_WEIGHT = 1e100
SMALLEST_WEIGHT = 1e-100


class Layers(Conditionals):
    """Weights, drawn from the first layer that has anything left, and the floor over all left.

        p(a | taken) = (1 - floor) w(a) [a in first layer left] / W(first layer left)
                       + floor / n_left

    One layer without a floor is the model of Plackett and Luce. As many layers as actions are a
    ranking: its best that is left, and now and then any other.

    Args:
        plan: Slots and candidates.
        layer: Of each candidate, (n_actions,), from 0; layer 0 is drawn first.
        weight: Of each within its layer, (n_actions,), 1e-100 to 1e100.
        floor: Share of each slot that is spread evenly over what is left, in [0, 1).

    Raises:
        DecisionError: Layers or weights of another shape or out of range.
        ParameterError: The floor is out of its range.

    Example:
        >>> from policy.slots.base import Plan, Slot
        >>> plan = Plan.of([Slot("top"), Slot("side")], ("a", "b", "c"))
        >>> ranking = Layers(plan, [2, 0, 1], [1.0, 1.0, 1.0], floor=0.1)
        >>> ranking.given(1, np.array([False, True, False]))
        array([0.05, 0.  , 0.95])

    References:
        Luce. Individual Choice Behavior. Wiley 1959.
        Plackett. The Analysis of Permutations. Applied Statistics 24 (1975).
    """

    def __init__(
        self, plan: Plan, layer: npt.ArrayLike, weight: npt.ArrayLike, *, floor: float = 0.0
    ) -> None:
        super().__init__(plan)
        shape = (len(plan.ids),)
        self.weight = bounded("weight", weight, shape, LARGEST_WEIGHT, DecisionError)
        if self.weight.min(initial=1.0) < SMALLEST_WEIGHT:
            raise DecisionError(
                f"weight is {self.weight.min()}: must be at least {SMALLEST_WEIGHT:g}; what is to "
                "come behind everything else has a layer of its own"
            )
        self.layer = np.asarray(layer)
        whole = np.issubdtype(self.layer.dtype, np.integer) or not self.layer.size
        if self.layer.shape != shape or not whole or (self.layer < 0).any():
            raise DecisionError(f"layer: must be whole numbers from 0, of shape {shape}")
        self.floor = parameter("floor", floor, 0.0, 1.0, open_high=True)

    def _over(self, slot: int, left: Mask) -> Array:
        weights: Array = self.weight * (left & (self.layer == np.minimum.reduce(self.layer[left])))
        weights *= (1.0 - self.floor) / np.add.reduce(weights)
        weights += left * (self.floor / np.count_nonzero(left))
        return weights
