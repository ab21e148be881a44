"""Samples of the joint posterior."""

from __future__ import annotations

import numpy as np
import pytest

from policy.bandits.linear_model import Posterior
from policy.bandits.posterior_samples import covariance_root, sample_scores, shares_of_best

POSTERIOR = Posterior(
    np.array([1.0, -1.0, 0.0]),
    np.array([[1.0, 0.0], [1.0, 0.5], [0.0, 0.0]]),
    np.array([[2.0, 0.6], [0.6, 0.5]]),
    np.array([0.1, 0.3, 0.0]),
)


def test_their_mean_and_covariance_are_the_posterior_s() -> None:
    samples = sample_scores(POSTERIOR, 0.5, 200_000, np.random.default_rng(0))
    shared = POSTERIOR.residuals @ POSTERIOR.shared_covariance @ POSTERIOR.residuals.T
    covariance = 0.25 * (shared + np.diag(POSTERIOR.own_variances))
    np.testing.assert_allclose(samples.mean(axis=0), POSTERIOR.means, atol=1e-12)  # pairs ±
    np.testing.assert_allclose(np.cov(samples.T), covariance, atol=0.01)


def test_shares_are_of_the_best() -> None:
    samples = sample_scores(POSTERIOR, 1.0, 50, np.random.default_rng(0))
    shares = shares_of_best(samples)
    assert shares.sum() == pytest.approx(1.0)
    assert shares[0] == np.mean(samples[:, 0] == samples.max(axis=1))


def test_a_covariance_that_rounding_spoiled_has_a_root() -> None:
    spoiled = np.array([[1.0, 1.0], [1.0, 1.0 - 1e-12]])
    root = covariance_root(spoiled)
    np.testing.assert_allclose(root @ root.T, spoiled, atol=1e-11)
