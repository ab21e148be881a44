"""SquareCB: the less an action seems to fall behind the best, the more often.

One of the explorers over the linear model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from policy.bandits.linear_policy import LinearOptions, LinearPolicy, share_of_best
from policy.bounds import parameter

if TYPE_CHECKING:
    from typing import Unpack

Array = npt.NDArray[np.float64]


class SquareCB(LinearPolicy):
    """Inverse gap weighting: p(a) = 1 / (K + γ (best - score(a))), what is left to the best.

    γ = gamma_scale · n_updatesᵉˣᵖᵒⁿᵉⁿᵗ grows with experience, so that exploration fades. Several
    best share what is left to the best.

    Args:
        n_context: Length of a context.
        n_shared: Number of pair features.
        gamma_scale: At least 0; inverse to the size of rewards, so about 10 to 500 for rewards
            from 0 to 1.
        exponent: 0.5 in theory, in [0, 1].
        **options: See ``LinearPolicy``.

    Raises:
        ParameterError: A parameter is out of its range.

    Example:
        >>> from policy.base import Candidates
        >>> policy = SquareCB(1, 0)
        >>> pair = Candidates(("a", "b"), np.zeros((2, 0)))
        >>> policy.distribution(np.ones(1), pair, np.random.default_rng(0))
        array([0.5, 0.5])

    References:
        Foster, Rakhlin. Beyond UCB: Optimal and Efficient Contextual Bandits with Regression
        Oracles. ICML 2020.
    """

    kind: ClassVar[str] = "squarecb"

    def __init__(
        self,
        n_context: int,
        n_shared: int,
        *,
        gamma_scale: float = 100.0,
        exponent: float = 0.5,
        **options: Unpack[LinearOptions],
    ) -> None:
        super().__init__(n_context, n_shared, **options)
        self.gamma_scale = parameter("gamma_scale", gamma_scale, 0.0, 1e9)
        self.exponent = parameter("exponent", exponent, 0.0, 1.0)

    def _decide(
        self,
        x: Array,
        z: Array,
        ids: tuple[str, ...],
        costs: Array | float,
        rng: np.random.Generator,
    ) -> tuple[Array, Array]:
        gamma = self.gamma_scale * self.n_updates**self.exponent
        means = self.model.means(x, z, ids)
        scores = means - costs
        best = scores.max()
        probabilities: Array = 1.0 / (len(ids) + gamma * (best - scores))
        # Ties share what is left: the order of the candidates must not decide.
        left = 1.0 - np.add.reduce(probabilities)
        probabilities += left * share_of_best(scores)
        return probabilities, means
