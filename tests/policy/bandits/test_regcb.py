"""Optimistic RegCB: its bound is the end of the version space."""

from __future__ import annotations

import numpy as np
import pytest

from policy.bandits.regcb import RegCB
from policy.base import Batch, Candidates
from policy.errors import ParameterError

PRIORS = {"prior_action": 1.0, "prior_intercept": 1.0}
ABC = Candidates(("a", "b", "c"), np.ones((3, 0)))


def rows(n: int, seed: int = 0, unit: float = 1.0) -> Batch:
    rng = np.random.default_rng(seed)
    contexts = np.column_stack([np.ones(n), rng.normal(size=(n, 3))])
    ids = tuple("abc"[i] for i in rng.integers(3, size=n))
    rewards = unit * (contexts[:, 1] * (np.array(ids) == "a") + rng.random(n).round(2))
    return Batch(contexts, np.ones((n, 0)), ids, rewards.round(9), np.ones(n, bool))


def largest_that_fits(batch: Batch, action_id: str, x: np.ndarray, slack: float) -> float:
    """Over regressions of ridge loss within ``slack`` of the least, by bisection.

    Pulling the regression at x towards a far point with growing weight moves it along the path of
    least loss, which is how Vowpal Wabbit finds the bound.
    """
    mine = np.array(batch.action_ids) == action_id
    design, rewards, far = batch.contexts[mine], batch.rewards[mine], 1e6
    gram = design.T @ design + np.eye(4)

    def fitted(weight: float) -> np.ndarray:
        return np.linalg.solve(
            gram + weight * np.outer(x, x), design.T @ rewards + weight * far * x
        )

    def loss(theta: np.ndarray) -> float:
        return float(((rewards - design @ theta) ** 2).sum() + theta @ theta)

    low, high = 0.0, 1.0
    for _ in range(200):
        middle = (low + high) / 2.0
        low, high = (
            (low, middle) if loss(fitted(middle)) > loss(fitted(0.0)) + slack else (middle, high)
        )
    return float(x @ fitted(low))


def test_it_shows_what_any_fitting_regression_holds_for_best() -> None:
    batch, policy = rows(30), RegCB(4, 0, floor=0.0, c0=0.02, **PRIORS)
    policy.update(batch)
    width = batch.rewards.max() - batch.rewards.min()
    slack, high = 0.02 * np.log(3 * 30) * width**2, batch.rewards.max()
    chosen = set()
    for seed in range(40):
        x = np.append(1.0, np.random.default_rng(100 + seed).normal(size=3))
        bounds = [min(largest_that_fits(batch, a, x, slack), high) for a in "abc"]
        best = np.array(bounds) >= max(bounds) - 1e-2 * width
        probabilities = policy.distribution(x, ABC, np.random.default_rng(0))
        assert (probabilities[~best] == 0.0).all(), bounds
        chosen.add(int(probabilities.argmax()))
    assert chosen == {0, 1, 2}


def test_bounds_beyond_the_largest_reward_are_equal() -> None:
    """Nothing is known of two new actions in any context: they share, however far the context."""
    policy = RegCB(4, 0, floor=0.0, c0=1.0)
    policy.update(rows(30))
    new = Candidates(("new", "newer", "a"), np.ones((3, 0)))
    x = np.array([1.0, -9.0, 3.0, 2.0])
    probabilities = policy.distribution(x, new, np.random.default_rng(0))
    assert probabilities[0] == probabilities[1] > 0.0


@pytest.mark.parametrize("unit", [1e-3, 1e3])
def test_the_unit_of_rewards_does_not_matter(unit: float) -> None:
    one, other = RegCB(4, 0, floor=0.0), RegCB(4, 0, floor=0.0)
    one.update(rows(200))
    other.update(rows(200, unit=unit))
    for seed in range(30):
        x = np.append(1.0, np.random.default_rng(seed).normal(size=3))
        decisions = [p.distribution(x, ABC, np.random.default_rng(0)) for p in (one, other)]
        np.testing.assert_allclose(*decisions, atol=1e-9)


def test_without_mellowness_it_is_greedy() -> None:
    policy = RegCB(4, 0, floor=0.0, c0=0.0)
    policy.update(rows(50))
    x = np.array([1.0, 0.3, -0.2, 0.1])
    probabilities, means = policy.decide(x, ABC, np.random.default_rng(0))
    assert probabilities[means.argmax()] == 1.0


def test_before_the_first_reward_it_chooses_evenly() -> None:
    probabilities = RegCB(4, 0, floor=0.0).distribution(np.ones(4), ABC, np.random.default_rng(0))
    np.testing.assert_allclose(probabilities, 1.0 / 3.0)


@pytest.mark.parametrize("c0", [-0.1, float("inf")])
def test_impossible_parameters_are_refused(c0: float) -> None:
    with pytest.raises(ParameterError, match="c0"):
        RegCB(1, 0, c0=c0)
