"""Per-decision importance sampling of several steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from policy.bounds import parameter
from policy.ope.estimators.base import SumOfMeans

if TYPE_CHECKING:
    from policy.ope.estimators.steps.trajectories import Trajectories
    from policy.ope.log import Array


class PerDecision(SumOfMeans):
    """Each step's reward, weighted by the choices that led to it and no later ones.

        V = sum_t γ^t  E_n[w_0 ... w_t r_t]    or, normalised,   / E_n[w_0 ... w_t]

    Bias and variance: unbiased (normalised: of a bias of order 1/n) whatever the states; the
    variance grows with the power of the number of steps, so it answers for a few of them.

    Args:
        n_steps: How many are looked at.
        discount: γ, in (0, 1].
        normalised: Whether the weights of a step are divided by their mean.

    Example:
        >>> PerDecision(4).name
        'per_decision_sn'

    References:
        Precup, Sutton, Singh. Eligibility Traces for Off-Policy Policy Evaluation. ICML 2000.
        Thomas. Safe Reinforcement Learning. PhD thesis, 2015 (consistent weighted per-decision).
    """

    name: str = "per_decision"

    def __init__(self, n_steps: int, discount: float = 1.0, *, normalised: bool = True) -> None:
        super().__init__(n_steps, normalised=normalised)
        self.discount = parameter("discount", discount, 1e-300, 1.0)

    def columns(self, trajectories: Trajectories) -> Array:
        """A row for every sequence, (n, n_columns)."""
        discounts = self.discount ** np.arange(trajectories.n_steps)
        return self.weighted(trajectories.prefix, trajectories.reward * discounts)
