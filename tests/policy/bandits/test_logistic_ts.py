"""Logistic Thompson sampling: chances are learned, and sampled."""

from __future__ import annotations

import numpy as np
import pytest

from policy.bandits.logistic_ts import LogisticTS
from policy.base import Batch, Candidates
from policy.errors import BatchError, ParameterError

PRIORS = {"prior_action": 1.0, "prior_intercept": 1.0, "prior_shared": 1.0}
PAIR = Candidates(("a", "b"), np.zeros((2, 0)))


def logistic(logits: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-logits))


def coin(rewards: list[float]) -> Batch:
    n = len(rewards)
    return Batch(np.ones((n, 1)), np.ones((n, 0)), ("a",) * n, np.array(rewards), np.ones(n, bool))


def visitors(n: int, seed: int = 0) -> Batch:
    """Success of a depends on the context, of b it does not."""
    rng = np.random.default_rng(seed)
    contexts = np.column_stack([np.ones(n), rng.normal(size=(n, 2))])
    ids = tuple("ab"[i] for i in rng.integers(2, size=n))
    logits = np.where(np.array(ids) == "a", contexts @ [-1.0, 2.0, 0.0], 0.5)
    rewards = (rng.random(n) < logistic(logits)).astype(float)
    return Batch(contexts, np.zeros((n, 0)), ids, rewards, np.ones(n, bool))


def numbers(policy: LogisticTS) -> dict[str, np.ndarray]:
    return policy.model.arrays()


@pytest.mark.parametrize(("n_successes", "n"), [(0, 1), (1, 2), (3, 3), (2, 20), (19, 20)])
def test_the_predicted_chance_is_near_the_exact_one(n_successes: int, n: int) -> None:
    """Against the posterior of one weight, integrated numerically."""
    policy = LogisticTS(1, 0, **PRIORS)
    outcomes = np.zeros(n)
    outcomes[np.linspace(0, n - 1, n_successes).astype(int)] = 1.0
    policy.update(coin(outcomes.tolist()))
    theta = np.linspace(-8.0, 8.0, 4001)
    chance = logistic(theta)
    posterior = np.exp(-(theta**2) / 2) * chance**n_successes * (1 - chance) ** (n - n_successes)
    exact = (posterior * chance).sum() / posterior.sum()
    assert policy.expected_rewards(np.ones(1), PAIR)[0] == pytest.approx(exact, abs=0.03)


def test_it_learns_the_chances_of_a_logistic_world() -> None:
    policy = LogisticTS(3, 0)
    policy.update(visitors(5_000))
    rng, errors = np.random.default_rng(1), []
    for _ in range(50):
        x = np.append(1.0, rng.normal(size=2))
        a, b = policy.expected_rewards(x, PAIR)
        errors += [a - logistic(x @ [-1.0, 2.0, 0.0]), b - logistic(np.array(0.5))]
    assert np.abs(errors).mean() < 0.03
    assert np.abs(errors).max() < 0.1


def test_it_samples_the_joint_posterior_of_the_chances() -> None:
    policy, rng = LogisticTS(3, 2, alpha=1.0, n_samples=40_000, floor=0.0), np.random.default_rng(2)
    batch = visitors(60)
    features = rng.normal(size=(60, 2))
    policy.update(Batch(batch.contexts, features, batch.action_ids, batch.rewards, batch.first))
    x, z, ids = np.append(1.0, rng.normal(size=2)), rng.normal(size=(3, 2)), ("a", "b", "new")
    costs = np.array([0.0, 0.1, 0.2])
    posterior = policy.model.posterior(x, z, ids)
    shared = posterior.residuals @ posterior.shared_covariance @ posterior.residuals.T
    covariance = (shared + np.diag(posterior.own_variances)) / policy.model.noise_variance
    logits = rng.multivariate_normal(posterior.means, covariance, size=40_000)
    expected = np.bincount((logistic(logits) - costs).argmax(axis=1), minlength=3) / 40_000
    probabilities = policy.distribution(x, Candidates(ids, z, costs), rng)
    np.testing.assert_allclose(probabilities, expected, atol=0.015)


def test_a_refund_is_as_if_the_reward_had_never_come() -> None:
    known, late = LogisticTS(1, 0, **PRIORS), LogisticTS(1, 0, **PRIORS)
    for policy in (known, late):
        policy.update(coin([1.0, 0.0, 1.0]))
    known.update(coin([0.0]))
    late.update(coin([1.0]))
    late.update(
        Batch(np.ones((1, 1)), np.ones((1, 0)), ("a",), -np.ones(1), np.zeros(1, bool), np.ones(1))
    )
    assert late.summary()[0].mean_reward == known.summary()[0].mean_reward == 0.5
    rows = 1 + 0 + 1  # the posterior's; the sum of squares that noise is estimated from is not kept
    for name, rounding in (("blocks", 1e-12), ("shared", 1e-12)):
        np.testing.assert_allclose(
            numbers(late)[name][..., :rows, :], numbers(known)[name][..., :rows, :], atol=rounding
        )


def test_a_late_reward_moves_what_is_learned_by_itself_alone() -> None:
    """Whatever was learned in between: the sum of rewards times contexts is exact."""
    batch = visitors(80)
    policy = LogisticTS(3, 0, **PRIORS)
    policy.update(batch)
    sums = numbers(policy)["blocks"][0, 4:5].copy()
    late = Batch(
        batch.contexts[:1], batch.features[:1], batch.action_ids[:1],
        1.0 - 2.0 * batch.rewards[:1], np.zeros(1, bool), batch.rewards[:1],
    )  # fmt: skip
    policy.update(late)
    moved = numbers(policy)["blocks"][0, 4:5] - sums
    np.testing.assert_allclose(moved[0], late.rewards[0] * batch.contexts[0], atol=1e-12)


@pytest.mark.parametrize("reward", [1.01, -0.01, 30.0])
def test_a_reward_that_is_no_chance_is_refused(reward: float) -> None:
    policy = LogisticTS(1, 0)
    policy.update(coin([1.0]))
    before = policy.state()[1]["blocks"].tobytes()
    with pytest.raises(BatchError, match=r"rewards\[1\] is .*from 0 to 1; scale the rewards"):
        policy.update(coin([1.0, reward]))
    assert policy.state()[1]["blocks"].tobytes() == before


def test_a_correction_beyond_a_chance_is_refused() -> None:
    policy = LogisticTS(1, 0)
    policy.update(coin([1.0]))
    twice = Batch(
        np.ones((1, 1)), np.ones((1, 0)), ("a",), np.ones(1), np.zeros(1, bool), np.ones(1)
    )
    with pytest.raises(BatchError, match=r"before \+ rewards\[0\] is 2"):
        policy.update(twice)


def test_sure_rows_keep_it_finite() -> None:
    policy = LogisticTS(1, 0)
    policy.update(coin([1.0] * 3_000))
    policy.update(coin([0.0]))
    chance = float(policy.expected_rewards(np.ones(1), PAIR)[0])
    assert 0.97 < chance < 1.0


def test_an_explanation_is_of_the_log_odds() -> None:
    policy, x = LogisticTS(3, 0), np.array([1.0, 0.5, -0.5])
    policy.update(visitors(500))
    found = policy.explain(x, PAIR)
    np.testing.assert_allclose(found.context.sum(axis=1) + found.rest, found.expected, atol=1e-12)
    chances = policy.expected_rewards(x, PAIR)
    shrunk = found.expected / np.sqrt(1.0 + np.pi / 8.0 * found.deviations**2)
    np.testing.assert_allclose(logistic(shrunk), chances, rtol=1e-9)


@pytest.mark.parametrize("parameters", [{"alpha": -1.0}, {"n_samples": 7}, {"n_samples": 0}])
def test_impossible_parameters_are_refused(parameters: dict[str, float]) -> None:
    with pytest.raises(ParameterError, match=next(iter(parameters))):
        LogisticTS(1, 0, **parameters)
