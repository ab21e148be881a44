"""Marginalised importance sampling of several steps: weights of states, not of histories."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from policy.bounds import parameter, whole_parameter
from policy.errors import EvaluationError
from policy.ope.estimators.base import Functional, per_row

if TYPE_CHECKING:
    from policy.ope.estimators.steps.trajectories import Trajectories
    from policy.ope.log import Array

MOST_STATES = 10_000


class Marginalised(Functional):
    """How often the target would be in each state at each step, times what it earns there.

        V = sum_t γ^t sum_s d_t(s) r_t(s)
        d_{t+1}(s') = sum_s d_t(s) P_t(s' | s)

    with r_t(s) and P_t(s' | s) the means of r_t and 1(s') over the rows that were in s at step t,
    weighted by w_t / mean of w_t. What was never seen earns 0.

    Bias and variance: consistent where the state tells all that matters of the past, and biased
    where it does not; the variance grows with the number of steps, not with its power. The columns
    are the influence of each sequence,

        V_0(s_0) + sum_t γ^t  d_t(s_t)/b_t(s_t)  w_t (r_t + γ V_{t+1}(s_{t+1}) - V_t(s_t)),

    b being how often the log was there: their mean is the estimate and their spread its error.

    Args:
        n_states: How many there are; few against the sequences of the log.
        discount: γ, in (0, 1].

    Example:
        >>> Marginalised(12).name
        'marginalised'

    References:
        Xie, Ma, Wang. Towards Optimal Off-Policy Evaluation for Reinforcement Learning with
        Marginalized Importance Sampling. NeurIPS 2019.
        Kallus, Uehara. Double Reinforcement Learning for Efficient Off-Policy Evaluation in Markov
        Decision Processes. JMLR 2020.
    """

    name: str = "marginalised"

    def __init__(self, n_states: int, discount: float = 1.0) -> None:
        self.n_states = whole_parameter("n_states", n_states, 1, MOST_STATES)
        self.discount = parameter("discount", discount, 1e-300, 1.0)

    def columns(self, trajectories: Trajectories) -> Array:
        """The influence of every sequence of the whole log, (n, 1).

        Raises:
            EvaluationError: No states, or one out of range.
        """
        state = self._states(trajectories)
        n, n_steps = state.shape
        ratio = self._normalised(trajectories.ratio, state)
        values = self._values(trajectories, ratio, state)
        influence = values[0, state[:, 0]]
        occupancy = np.bincount(state[:, 0], minlength=self.n_states + 1) / n
        for step in range(n_steps):
            now = state[:, step]
            logged = np.bincount(now, minlength=self.n_states + 1) / n
            share = np.divide(occupancy, logged, out=np.zeros_like(logged), where=logged > 0.0)
            moved = share[now] * ratio[:, step]
            gained = trajectories.reward[:, step] - values[step, now]
            if step + 1 < n_steps:
                later = state[:, step + 1]
                gained += self.discount * values[step + 1, later]
                occupancy = np.bincount(later, moved, self.n_states + 1) / n
            influence = influence + self.discount**step * moved * gained
        return per_row(influence)

    def _normalised(self, ratio: Array, state: np.ndarray) -> Array:
        """Each step's weights over their mean in the state, (n, n_steps)."""
        normalised = np.empty_like(ratio)
        for step in range(state.shape[1]):
            now = state[:, step]
            total = np.bincount(now, ratio[:, step], self.n_states + 1)
            count = np.bincount(now, minlength=self.n_states + 1)
            mean = np.where(total > 0.0, total / np.maximum(count, 1), 1.0)
            normalised[:, step] = ratio[:, step] / mean[now]
        return normalised

    def _values(self, trajectories: Trajectories, ratio: Array, state: np.ndarray) -> Array:
        """V_t(s) under the estimated rewards and transitions, (n_steps, n_states + 1)."""
        n_steps = trajectories.n_steps
        values = np.zeros((n_steps, self.n_states + 1))
        for step in reversed(range(n_steps)):
            now = state[:, step]
            earned = trajectories.reward[:, step].copy()
            if step + 1 < n_steps:
                earned += self.discount * values[step + 1, state[:, step + 1]]
            total = np.bincount(now, ratio[:, step] * earned, self.n_states + 1)
            count = np.bincount(now, minlength=self.n_states + 1)
            values[step] = total / np.maximum(count, 1)
        return values

    def _states(self, trajectories: Trajectories) -> np.ndarray:
        if trajectories.state is None:
            raise EvaluationError("marginalised needs the state of every step: the log has none")
        inside = (trajectories.state >= 0) & (trajectories.state < self.n_states)
        if not (inside | ~trajectories.present).all():
            raise EvaluationError(f"states must be numbers from 0 to {self.n_states - 1}")
        # One state more: gone. It earns nothing and is never left.
        return np.where(trajectories.present, trajectories.state, self.n_states)
