"""LinTS: its distribution is that of the posterior's best action."""

from __future__ import annotations

import numpy as np
import pytest

from policy.bandits.lints import LinTS
from policy.base import Batch, Candidates
from policy.errors import ParameterError


def taught(**parameters: float) -> LinTS:
    rng = np.random.default_rng(0)
    policy, n = LinTS(3, 2, floor=0.0, alpha=0.5, **parameters), 40
    ids = tuple("abc"[i] for i in rng.integers(3, size=n))
    contexts, features = rng.normal(size=(n, 3)), rng.normal(size=(n, 2))
    policy.update(Batch(contexts, features, ids, rng.normal(size=n), np.ones(n, bool)))
    return policy


def test_it_samples_the_joint_posterior() -> None:
    """Against samples of all scores from their full covariance, what is shared included."""
    policy, rng = taught(n_samples=40_000), np.random.default_rng(1)
    x, z, ids = rng.normal(size=3), rng.normal(size=(4, 2)), ("a", "b", "c", "new")
    posterior = policy.model.posterior(x, z, ids)
    shared = posterior.residuals @ posterior.shared_covariance @ posterior.residuals.T
    covariance = 0.25 * (shared + np.diag(posterior.own_variances))
    best = rng.multivariate_normal(posterior.means, covariance, size=40_000).argmax(axis=1)
    expected = np.bincount(best, minlength=4) / 40_000
    probabilities = policy.distribution(x, Candidates(ids, z), rng)
    np.testing.assert_allclose(probabilities, expected, atol=0.015)


def test_probabilities_are_shares_of_the_samples() -> None:
    rng = np.random.default_rng(2)
    candidates = Candidates(("a", "b", "c"), rng.normal(size=(3, 2)))
    shares = 64 * taught(n_samples=64).distribution(rng.normal(size=3), candidates, rng)
    assert shares.tolist() == np.round(shares).tolist()


def test_without_noise_it_is_greedy() -> None:
    rng = np.random.default_rng(3)
    policy = taught(n_samples=8)
    policy.alpha = 0.0
    x, candidates = rng.normal(size=3), Candidates(("a", "b", "c"), rng.normal(size=(3, 2)))
    probabilities = policy.distribution(x, candidates, rng)
    assert probabilities[policy.expected_rewards(x, candidates).argmax()] == 1.0


def test_a_covariance_that_rounding_spoiled_still_samples() -> None:
    policy, rng = taught(), np.random.default_rng(4)
    policy.model.shared_covariance[:] = np.array([[1.0, 1.0], [1.0, 1.0 - 1e-12]])
    candidates = Candidates(("a", "b"), rng.normal(size=(2, 2)))
    assert policy.distribution(rng.normal(size=3), candidates, rng).sum() == pytest.approx(1.0)


@pytest.mark.parametrize("n_samples", [0, 7, 64.0, 10**6, True])
def test_impossible_numbers_of_samples_are_refused(n_samples: int) -> None:
    with pytest.raises(ParameterError, match="n_samples"):
        LinTS(1, 0, n_samples=n_samples)
