"""Finite Markov decision processes: the best policy, and the exact value of any policy.

`simulator.optimum.shopper` builds one; `benchmarks.ppo` scores what was learned with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from simulator.errors import WorldError

if TYPE_CHECKING:
    from collections.abc import Sequence

Array = npt.NDArray[np.float64]

TOLERANCE = 1e-9
LARGEST_ITERATIONS = 100_000


@dataclass(frozen=True, slots=True, eq=False)
class FiniteMDP:
    """What can happen in each state, under each action.

    Args:
        next_states: Where each branch leads, (n_states, n_actions, n_branches).
        probabilities: Of each branch, same shape. What is missing to 1 ends the episode.
        rewards: Expected, (n_states, n_actions).
        start: Distribution of the first state, (n_states,).
        gamma: Discount, in [0, 1).

    Raises:
        WorldError: Shapes, probabilities or numbers that cannot be.

    Example:
        A light switch that pays while it is on, and costs 1 to flip:

        >>> switch = FiniteMDP(
        ...     np.array([[[0], [1]], [[1], [0]]]), np.ones((2, 2, 1)),
        ...     np.array([[0.0, -1.0], [1.0, -1.0]]), np.array([1.0, 0.0]), gamma=0.5,
        ... )
        >>> best, values = solve(switch)
        >>> best.tolist(), values.round(6).tolist()
        ([0, 0], [0.0, 2.0])
    """

    next_states: npt.NDArray[np.int64]
    probabilities: Array
    rewards: Array
    start: Array
    gamma: float

    def __post_init__(self) -> None:
        n_states, n_actions = self.rewards.shape
        if self.next_states.shape != self.probabilities.shape or self.next_states.shape[:2] != (
            n_states, n_actions,
        ):  # fmt: skip
            raise WorldError("next_states", self.next_states.shape, "must fit rewards, by branch")
        if not 0.0 <= self.gamma < 1.0:
            raise WorldError("gamma", self.gamma, "must be at least 0 and below 1")
        totals = self.probabilities.sum(2)
        if not ((self.probabilities >= 0.0).all() and (totals <= 1.0 + 1e-12).all()):
            raise WorldError(
                "probabilities", float(totals.max()), "must be positive, at most 1 in sum"
            )
        if not (self.next_states >= 0).all() or not (self.next_states < n_states).all():
            raise WorldError(
                "next_states", int(self.next_states.max()), f"must be below {n_states}"
            )
        if not np.isfinite(self.rewards).all():
            raise WorldError("rewards", self.rewards, "must be finite")
        if self.start.shape != (n_states,) or abs(self.start.sum() - 1.0) > 1e-9:
            raise WorldError("start", self.start, f"must be a distribution over {n_states} states")

    @property
    def n_states(self) -> int:
        """Number of states."""
        return int(self.rewards.shape[0])

    @property
    def n_actions(self) -> int:
        """Number of actions."""
        return int(self.rewards.shape[1])

    def matrix(self) -> csr_array:
        """Transitions, (n_states · n_actions, n_states)."""
        n_rows, n_branches = self.n_states * self.n_actions, self.next_states.shape[2]
        starts = np.arange(0, n_rows * n_branches + 1, n_branches)
        shape = (n_rows, self.n_states)
        return csr_array((self.probabilities.ravel(), self.next_states.ravel(), starts), shape)


def solve(mdp: FiniteMDP) -> tuple[npt.NDArray[np.int64], Array]:
    """The best action in each state and its value, by value iteration.

    V(s) = max_a r(s, a) + γ Σ p(s' | s, a) V(s'), to within 1e-9 of the largest value.

    References:
        Puterman. Markov Decision Processes. Wiley 1994, section 6.3.
    """
    moves = mdp.matrix()
    values = np.zeros(mdp.n_states)
    for _ in range(LARGEST_ITERATIONS):
        scores = mdp.rewards + mdp.gamma * (moves @ values).reshape(mdp.rewards.shape)
        last, values = values, scores.max(1)
        if _is_close(values, last, mdp.gamma):
            return scores.argmax(1), values
    raise WorldError("gamma", mdp.gamma, "is too near 1 for value iteration to end")


def evaluate(mdp: FiniteMDP, policy: Array) -> Array:
    """The exact value of a policy in each state: V = r_π + γ P_π V.

    Args:
        mdp: The process.
        policy: Probability of each action in each state, (n_states, n_actions).

    Raises:
        WorldError: Rows that are not distributions.
    """
    if policy.shape != mdp.rewards.shape or np.abs(policy.sum(1) - 1.0).max() > 1e-6:
        raise WorldError("policy", policy.shape, f"must be distributions, {mdp.rewards.shape}")
    weights = csr_array(
        (
            policy.ravel(),
            np.arange(policy.size),
            np.arange(0, policy.size + 1, mdp.n_actions),
        ),
        (mdp.n_states, policy.size),
    )
    moves, rewards = weights @ mdp.matrix(), (policy * mdp.rewards).sum(1)
    values = np.zeros(mdp.n_states)
    for _ in range(LARGEST_ITERATIONS):
        last, values = values, rewards + mdp.gamma * (moves @ values)
        if _is_close(values, last, mdp.gamma):
            break
    else:
        raise WorldError("gamma", mdp.gamma, "is too near 1 for evaluation to end")
    result: Array = values
    return result


def expected_return(mdp: FiniteMDP, policy: Array) -> float:
    """What a policy earns from the start distribution, discounted."""
    return float(mdp.start @ evaluate(mdp, policy))


def always(mdp: FiniteMDP, actions: npt.NDArray[np.int64] | int) -> Array:
    """The policy that takes these actions for certain: one for each state, or one for all."""
    policy = np.zeros(mdp.rewards.shape)
    policy[np.arange(mdp.n_states), actions] = 1.0
    return policy


def myopic(mdp: FiniteMDP, allowed: npt.NDArray[np.bool_] | None = None) -> Array:
    """The policy of the true best immediate reward: what any bandit can at most learn.

    Args:
        mdp: The process.
        allowed: Where False, an action is not considered, (n_states, n_actions).
    """
    rewards = mdp.rewards if allowed is None else np.where(allowed, mdp.rewards, -np.inf)
    return always(mdp, rewards.argmax(1))


def best_constant(mdp: FiniteMDP) -> Array:
    """The policy that takes the one action that earns most when always taken."""
    policies = [always(mdp, action) for action in range(mdp.n_actions)]
    return best_of(mdp, policies)


def best_of(mdp: FiniteMDP, policies: Sequence[Array]) -> Array:
    """The policy that earns most."""
    return max(policies, key=lambda policy: expected_return(mdp, policy))


def _is_close(values: Array, last: Array, gamma: float) -> bool:
    """Whether what is left to change is at most the tolerance: a geometric series of steps."""
    left = float(np.abs(values - last).max()) * gamma / (1.0 - gamma)
    return left <= TOLERANCE * max(1.0, float(np.abs(values).max()))
