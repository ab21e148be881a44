"""Epsilon-greedy's formula."""

from __future__ import annotations

import numpy as np
import pytest

from policy.bandits.epsilon_greedy import EpsilonGreedy
from policy.base import Batch, Candidates
from policy.errors import ParameterError

ABC = Candidates(("a", "b", "c"), np.ones((3, 0)))


def taught(rewards: dict[str, float], **parameters: float) -> EpsilonGreedy:
    policy, n = EpsilonGreedy(1, 0, floor=0.0, **parameters), len(rewards)
    earned = np.array(list(rewards.values()))
    policy.update(Batch(np.ones((n, 1)), np.ones((n, 0)), tuple(rewards), earned, np.ones(n, bool)))
    return policy


def test_the_best_gets_what_exploring_leaves() -> None:
    probabilities = taught({"a": 0.0, "b": 1.0, "c": 0.5}, epsilon=0.3).distribution(
        np.ones(1), ABC, np.random.default_rng(0)
    )
    np.testing.assert_allclose(probabilities, [0.1, 0.8, 0.1], rtol=1e-14)


def test_several_best_share_it() -> None:
    probabilities = taught({"a": 1.0, "b": 0.0, "c": 1.0}, epsilon=0.3).distribution(
        np.ones(1), ABC, np.random.default_rng(0)
    )
    np.testing.assert_allclose(probabilities, [0.45, 0.1, 0.45], rtol=1e-14)


@pytest.mark.parametrize("epsilon", [-0.1, 1.1, float("nan")])
def test_epsilon_is_a_probability(epsilon: float) -> None:
    with pytest.raises(ParameterError, match=r"epsilon is .* at least 0 and at most 1"):
        EpsilonGreedy(1, 0, epsilon=epsilon)


def test_it_is_fixed_unless_it_is_told_to_decay() -> None:
    policy, rng = taught({"a": 1.0, "b": 0.0, "c": 0.0}, epsilon=0.3), np.random.default_rng(0)
    before = policy.distribution(np.ones(1), ABC, rng)
    policy.n_updates = 10**9
    np.testing.assert_array_equal(policy.distribution(np.ones(1), ABC, rng), before)


@pytest.mark.parametrize(("n_updates", "left"), [(0, 1.0), (50, 0.5), (350, 0.125)])
def test_it_decays_with_the_rows_that_were_learned(n_updates: int, left: float) -> None:
    policy = taught({"a": 1.0, "b": 0.0, "c": 0.0}, epsilon=0.3, decay_rows=50.0, exponent=1.0)
    policy.n_updates = n_updates
    probabilities = policy.distribution(np.ones(1), ABC, np.random.default_rng(0))
    np.testing.assert_allclose(probabilities[1:], 0.1 * left, rtol=1e-12)


@pytest.mark.parametrize("parameters", [{"decay_rows": 0.5}, {"exponent": 1.5}])
def test_impossible_decays_are_refused(parameters: dict[str, float]) -> None:
    with pytest.raises(ParameterError, match=next(iter(parameters))):
        EpsilonGreedy(1, 0, **parameters)
