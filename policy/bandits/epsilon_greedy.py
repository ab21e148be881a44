"""Epsilon-greedy: mostly the best, now and then anything.

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


class EpsilonGreedy(LinearPolicy):
    """p(a) = (1 - ε) 1[a is best] / n_best + ε / n_actions.

    ε stays as it is, or fades with experience: epsilon (1 + n_updates / decay_rows)^-exponent.

    Args:
        n_context: Length of a context.
        n_shared: Number of pair features.
        epsilon: Share of decisions that explore evenly, in [0, 1].
        decay_rows: Rows after which ε has begun to fade, at least 1: 2^-exponent of it is left.
            None for ever the same.
        exponent: How fast it fades, in [0, 1]; 1/3 in theory.
        **options: See ``LinearPolicy``.

    Raises:
        ParameterError: A parameter is out of its range.

    Example:
        >>> from policy.base import Candidates
        >>> policy = EpsilonGreedy(1, 0, epsilon=0.2, floor=0.0)
        >>> pair = Candidates(("a", "b"), np.zeros((2, 0)))
        >>> policy.distribution(np.ones(1), pair, np.random.default_rng(0))
        array([0.5, 0.5])

    References:
        Sutton, Barto. Reinforcement Learning: An Introduction. 2nd ed., MIT Press 2018, section 2.
        Langford, Zhang. The Epoch-Greedy Algorithm for Multi-armed Bandits with Side Information.
        NeurIPS 2007.
    """

    kind: ClassVar[str] = "epsilon_greedy"

    def __init__(
        self,
        n_context: int,
        n_shared: int,
        *,
        epsilon: float = 0.1,
        decay_rows: float | None = None,
        exponent: float = 1.0 / 3.0,
        **options: Unpack[LinearOptions],
    ) -> None:
        super().__init__(n_context, n_shared, **options)
        self.epsilon = parameter("epsilon", epsilon, 0.0, 1.0)
        self.decay_rows = None if decay_rows is None else parameter("decay_rows", decay_rows, 1.0)
        self.exponent = parameter("exponent", exponent, 0.0, 1.0)

    def _decide(
        self,
        x: Array,
        z: Array,
        ids: tuple[str, ...],
        costs: Array | float,
        rng: np.random.Generator,
    ) -> tuple[Array, Array]:
        means = self.model.means(x, z, ids)
        probabilities = share_of_best(means - costs)
        epsilon = self._epsilon_now()
        probabilities *= 1.0 - epsilon
        probabilities += epsilon / len(ids)
        return probabilities, means

    def _epsilon_now(self) -> float:
        if self.decay_rows is None:
            return self.epsilon
        faded: float = (1.0 + self.n_updates / self.decay_rows) ** -self.exponent
        return self.epsilon * faded
