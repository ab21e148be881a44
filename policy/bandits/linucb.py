"""LinUCB: the action whose reward could be highest.

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


class LinUCB(LinearPolicy):
    """All mass on the highest upper confidence bound, then the floor.

        ucb(a) = mean(a) + alpha sqrt(variance(a))

    Args:
        n_context: Length of a context.
        n_shared: Number of pair features.
        alpha: Width of the bound in standard deviations, at least 0.
        **options: See ``LinearPolicy``.

    Raises:
        ParameterError: A parameter is out of its range.

    Example:
        >>> from policy.base import Batch, Candidates
        >>> policy = LinUCB(1, 0, floor=0.0)
        >>> policy.update(
        ...     Batch(np.ones((1, 1)), np.zeros((1, 0)), ("a",), np.ones(1), np.ones(1, bool))
        ... )
        >>> pair = Candidates(("a", "b"), np.zeros((2, 0)))
        >>> policy.distribution(np.ones(1), pair, np.random.default_rng(0))
        array([1., 0.])

    References:
        Li, Chu, Langford, Schapire. A Contextual-Bandit Approach to Personalized News Article
        Recommendation. WWW 2010.
    """

    kind: ClassVar[str] = "linucb"

    def __init__(
        self,
        n_context: int,
        n_shared: int,
        *,
        alpha: float = 1.0,
        **options: Unpack[LinearOptions],
    ) -> None:
        super().__init__(n_context, n_shared, **options)
        self.alpha = parameter("alpha", alpha, 0.0, 1e6)

    def _decide(
        self,
        x: Array,
        z: Array,
        ids: tuple[str, ...],
        costs: Array | float,
        rng: np.random.Generator,
    ) -> tuple[Array, Array]:
        means, width = self.model.means_and_variances(self._lifted(x), z, ids)
        np.sqrt(width, out=width)
        width *= self.alpha
        width += means
        width -= costs
        return share_of_best(width), means
