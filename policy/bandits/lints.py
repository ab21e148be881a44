"""LinTS: each action as often as it is best in samples from the posterior.

One of the explorers over the linear model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from policy.bandits.linear_policy import LinearOptions, LinearPolicy
from policy.bandits.posterior_samples import sample_scores, shares_of_best
from policy.bounds import parameter, whole_parameter
from policy.errors import ParameterError

if TYPE_CHECKING:
    from typing import Unpack

Array = npt.NDArray[np.float64]


class LinTS(LinearPolicy):
    """Linear Thompson sampling with exact probabilities.

    The probability that an action is best has no closed form, and a probability estimated after
    the draw is not the one that was used. So the policy *is* its Monte-Carlo distribution: it
    draws ``n_samples`` samples of all scores, and chooses from the shares in which each action
    came out best, by ``alpha`` times the posterior's deviations; see ``sample_scores``.

    Args:
        n_context: Length of a context.
        n_shared: Number of pair features.
        alpha: Scale of the posterior's standard deviation, at least 0.
        n_samples: Samples a decision, even, 2 to 100,000; probabilities are multiples of
            1 / n_samples before the floor.
        **options: See ``LinearPolicy``.

    Raises:
        ParameterError: A parameter is out of its range.

    Example:
        >>> from policy.base import Candidates
        >>> policy = LinTS(1, 0, n_samples=1000, floor=0.0)
        >>> pair = Candidates(("a", "b"), np.zeros((2, 0)))
        >>> p = policy.distribution(np.ones(1), pair, np.random.default_rng(0))
        >>> bool(0.4 < p[0] < 0.6)
        True

    References:
        Agrawal, Goyal. Thompson Sampling for Contextual Bandits with Linear Payoffs. ICML 2013.
    """

    kind: ClassVar[str] = "lints"

    def __init__(
        self,
        n_context: int,
        n_shared: int,
        *,
        alpha: float = 0.5,
        n_samples: int = 64,
        **options: Unpack[LinearOptions],
    ) -> None:
        super().__init__(n_context, n_shared, **options)
        self.alpha = parameter("alpha", alpha, 0.0, 1e6)
        self.n_pairs = whole_parameter("n_samples", n_samples, 2, 100_000) // 2
        if n_samples % 2:
            raise ParameterError(f"n_samples is {n_samples}: must be even, samples come in pairs")

    def _decide(
        self,
        x: Array,
        z: Array,
        ids: tuple[str, ...],
        costs: Array | float,
        rng: np.random.Generator,
    ) -> tuple[Array, Array]:
        posterior = self.model.posterior(x, z, ids)
        samples = sample_scores(posterior, self.alpha, self.n_pairs, rng)
        samples -= costs
        return shares_of_best(samples), posterior.means
