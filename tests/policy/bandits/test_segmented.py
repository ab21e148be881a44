"""Segmented: segments go their own way where they have reason to."""

from __future__ import annotations

import numpy as np
import pytest

from policy.bandits.build import make_policy
from policy.bandits.segmented import Segmented
from policy.base import Batch, Candidates, Policy, draw
from policy.errors import ParameterError, StateError

ACTIONS = tuple("abcd")
CANDIDATES = Candidates(ACTIONS, np.zeros((4, 0)))
N_SEGMENTS, N_CONTEXT = 5, 9


def visitor(rng: np.random.Generator, segment: int) -> np.ndarray:
    code = np.eye(N_SEGMENTS)[segment]
    return np.concatenate([[1.0], code, rng.normal(size=N_CONTEXT - 1 - N_SEGMENTS)])


def mean_regret(policy: Policy, spread: float, n: int = 600, seed: int = 4) -> float:
    """Each segment answers to the visitor's features in its own way, ``spread`` from the rest."""
    rng, regrets = np.random.default_rng(seed), []
    together = rng.normal(size=(4, N_CONTEXT))
    weights = together + spread * rng.normal(size=(N_SEGMENTS, 4, N_CONTEXT))
    for _ in range(n):
        segment = int(rng.integers(N_SEGMENTS))
        x = visitor(rng, segment)
        rewards = weights[segment] @ x
        probabilities = policy.distribution(x, CANDIDATES, rng)
        chosen = draw(probabilities, rng.random())
        regrets.append(rewards.max() - probabilities @ rewards)
        earned = np.array([rewards[chosen] + 0.5 * rng.normal()])
        policy.update(
            Batch(x[None], np.zeros((1, 0)), (ACTIONS[chosen],), earned, np.ones(1, bool))
        )
    return float(np.mean(regrets))


def segmented(**parameters: float) -> Segmented:
    return Segmented(N_CONTEXT, 0, segment_start=1, n_segments=N_SEGMENTS, **parameters)


def test_it_beats_one_policy_for_all_where_segments_differ() -> None:
    together = mean_regret(make_policy("linucb", N_CONTEXT, 0), 1.5)
    assert mean_regret(segmented(), 1.5) < 0.6 * together


def test_it_beats_policies_apart_where_segments_are_alike() -> None:
    """On average over three worlds: how much one world pays is mostly its own luck."""

    def regret(kind: str, **parameters: float) -> float:
        policies = [make_policy(kind, N_CONTEXT, 0, **parameters) for _ in range(3)]
        return sum(mean_regret(policy, 0.1, seed=seed) for seed, policy in enumerate(policies))

    segments = {"segment_start": 1, "n_segments": N_SEGMENTS}
    pooled = regret("segmented", **segments)
    held_to_nothing = {"prior_action": 1e6, "prior_intercept": 1e6, "prior_segment": 1.0}
    assert pooled < 0.75 * regret("segmented", **segments, **held_to_nothing)
    assert pooled < 1.2 * regret("linucb")


def test_without_segments_it_is_linucb() -> None:
    rng = np.random.default_rng(0)
    one, other = make_policy("linucb", 4, 2), make_policy("segmented", 4, 2)
    contexts, ids = rng.normal(size=(100, 4)), tuple(ACTIONS[i] for i in rng.integers(4, size=100))
    batch = Batch(contexts, rng.normal(size=(100, 2)), ids, rng.random(100), np.ones(100, bool))
    for policy in (one, other):
        policy.update(batch)
    for _ in range(20):
        x, candidates = rng.normal(size=4), Candidates((*ACTIONS, "new"), rng.normal(size=(5, 2)))
        for mine, theirs in zip(
            one.decide(x, candidates, rng), other.decide(x, candidates, rng), strict=True
        ):
            np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-12)


def test_an_explanation_adds_up_and_is_of_the_segment() -> None:
    policy, rng = segmented(), np.random.default_rng(1)
    mean_regret(policy, 1.5, n=200)
    for segment in range(N_SEGMENTS):
        x = visitor(rng, segment)
        found = policy.explain(x, CANDIDATES)
        np.testing.assert_allclose(found.context.sum(axis=1), found.expected, atol=1e-9)
        np.testing.assert_allclose(found.expected, policy.expected_rewards(x, CANDIDATES))


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"alpha": -1.0}, "alpha"),
        ({"segment_start": -1}, "segment_start"),
        ({"n_segments": 2.0}, "n_segments"),
        ({"segment_start": 7, "n_segments": 3}, "n_segments 3: they must be entries"),
        ({"prior_segment": 0.0}, "prior_segment"),
    ],
)
def test_impossible_parameters_are_refused(parameters: dict[str, float], named: str) -> None:
    with pytest.raises(ParameterError, match=named):
        Segmented(9, 0, **parameters)


def test_a_state_of_other_segments_is_refused() -> None:
    policy = segmented()
    mean_regret(policy, 1.0, n=20)
    other = Segmented(N_CONTEXT, 0, segment_start=2, n_segments=N_SEGMENTS)
    with pytest.raises(StateError, match="segment_start"):
        other.load_state(*policy.state())
