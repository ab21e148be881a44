"""Online cover: a handful of greedy choices, each drawn to what those before it left uncovered.

One of the explorers over the linear model.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from policy.bandits.linear_policy import LinearOptions, LinearPolicy, share_of_best
from policy.bounds import parameter, whole_parameter

if TYPE_CHECKING:
    from typing import Unpack

Array = npt.NDArray[np.float64]


class Cover(LinearPolicy):
    """``n_policies`` policies vote with 1 / n_policies each; q(a) is the share of action a.

    The first is greedy. Each further one takes the best of

        score(a) + psi σ ε / (ε + (1 - n_actions ε) q'(a)),
        ε = min(1 / n_actions, 1 / sqrt(n_actions n_updates))

    with σ² the variance of the noise, and q' the shares so far with its own vote added. So an
    action is covered if it falls behind by no more than its cover is worth, and ε makes that less
    and less. At last ``uniform`` of n_actions ε is spread evenly: 1 as in the paper, 0 as
    ``--nounif`` in Vowpal Wabbit. Many actions get nothing but that and the floor.

    How it differs from the paper, where each policy is a regression of rewards plus bonuses over
    all actions: the bonus is a known function of the candidates at hand, so that nothing is gained
    by learning it from past candidates, which the log does not have. It is added to what the model
    expects, when deciding. And a policy's own vote counts in its bonus, without which every action
    within psi σ of the best would keep 1 / n_policies for ever.

    Args:
        n_context: Length of a context.
        n_shared: Number of pair features.
        n_policies: Votes, 1 to 1,000; 1 is greedy.
        psi: How much covering is worth, in standard deviations of the noise, at least 0.
        uniform: Share of n_actions ε that is spread evenly, in [0, 1].
        **options: See ``LinearPolicy``.

    Raises:
        ParameterError: A parameter is out of its range.

    Example:
        >>> from policy.base import Candidates
        >>> policy = Cover(1, 0, n_policies=4, floor=0.0)
        >>> pair = Candidates(("a", "b"), np.zeros((2, 0)))
        >>> policy.distribution(np.ones(1), pair, np.random.default_rng(0))
        array([0.5, 0.5])

    References:
        Agarwal, Hsu, Kale, Langford, Li, Schapire. Taming the Monster: A Fast and Simple Algorithm
        for Contextual Bandits. ICML 2014.
        Bietti, Agarwal, Langford. A Contextual Bandit Bake-off. JMLR 22, 2021, algorithm 5.
    """

    kind: ClassVar[str] = "cover"

    def __init__(
        self,
        n_context: int,
        n_shared: int,
        *,
        n_policies: int = 16,
        psi: float = 3.0,
        uniform: float = 0.0,
        **options: Unpack[LinearOptions],
    ) -> None:
        super().__init__(n_context, n_shared, **options)
        self.n_policies = whole_parameter("n_policies", n_policies, 1, 1000)
        self.psi = parameter("psi", psi, 0.0, 1e6)
        self.uniform = parameter("uniform", uniform, 0.0, 1.0)

    def _decide(
        self,
        x: Array,
        z: Array,
        ids: tuple[str, ...],
        costs: Array | float,
        rng: np.random.Generator,
    ) -> tuple[Array, Array]:
        means = self.model.means(x, z, ids)
        n_actions = len(ids)
        least = 1.0 / max(n_actions, math.sqrt(n_actions * self.n_updates))
        worth = self.psi * math.sqrt(self.model.noise_variance)
        probabilities = cover(means - costs, worth, least, self.n_policies)
        even = self.uniform * least
        probabilities *= 1.0 - n_actions * even
        probabilities += even
        return probabilities, means


def cover(scores: Array, worth: float, least: float, n_policies: int) -> Array:
    """The shares of ``n_policies`` votes; those that tie share a vote.

    Args:
        scores: (n_actions,).
        worth: What it is worth to cover an action that has no share, at least 0.
        least: ε, above 0 and at most 1 / n_actions.
        n_policies: Number of votes.

    Returns:
        Probabilities, (n_actions,).

    Example:
        >>> cover(np.array([1.0, 0.9, 0.0]), 0.5, 0.1, 4)
        array([0.75, 0.25, 0.  ])
    """
    vote = 1.0 / n_policies
    kept = 1.0 - len(scores) * least
    shares = share_of_best(scores) * vote
    for _ in range(1, n_policies):
        covered = least + kept * (shares + vote)
        shares += share_of_best(scores + worth * least / covered) * vote
    shares /= np.add.reduce(shares)
    return shares
