"""Joint samples of all candidates' scores, and how often each comes out best.

Beside the explorers that sample: between the posterior of the linear model and the distribution.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from policy.bandits.linear_model import Posterior

Array = npt.NDArray[np.float64]


def sample_scores(
    posterior: Posterior, scale: float, n_pairs: int, rng: np.random.Generator
) -> Array:
    """Samples in pairs ±, which halves the noise to draw and evens out the shares.

        mean(a) ± scale (residual(a) · L ε₀ + own_sd(a) ε_a),  L Lᵀ = S

    with ε₀ common to all candidates: what they share makes them rise and fall together.

    Args:
        posterior: Of the candidates.
        scale: Of the posterior's standard deviation, at least 0.
        n_pairs: At least 1.
        rng: Draws n_pairs (n_shared + n_actions) normals.

    Returns:
        (2 n_pairs, n_actions).

    Example:
        >>> from policy.bandits.linear_model import Posterior
        >>> posterior = Posterior(np.ones(1), np.zeros((1, 0)), np.zeros((0, 0)), np.ones(1))
        >>> float(sample_scores(posterior, 0.5, 10, np.random.default_rng(0)).mean().round(12))
        1.0
    """
    n_actions, n_shared = posterior.residuals.shape
    normals = rng.standard_normal((n_pairs, n_shared + n_actions))
    noise = normals[:, n_shared:]
    noise *= scale * np.sqrt(posterior.own_variances)
    if n_shared:
        root = scale * covariance_root(posterior.shared_covariance)
        noise += np.dot(normals[:, :n_shared], np.dot(posterior.residuals, root).T)
    samples = np.empty((2 * n_pairs, n_actions))
    np.add(posterior.means, noise, out=samples[:n_pairs])
    np.subtract(posterior.means, noise, out=samples[n_pairs:])
    return samples


def shares_of_best(samples: Array) -> Array:
    """The share of the samples in which each candidate is best.

    Args:
        samples: (n_samples, n_actions).

    Returns:
        Probabilities, multiples of 1 / n_samples, (n_actions,).

    Example:
        >>> shares_of_best(np.array([[1.0, 2.0], [3.0, 0.0], [0.0, 1.0], [0.0, 2.0]]))
        array([0.25, 0.75])
    """
    n_samples, n_actions = samples.shape
    shares: Array = np.bincount(samples.argmax(axis=1), minlength=n_actions) / n_samples
    return shares


def covariance_root(covariance: Array) -> Array:
    """L with L Lᵀ = covariance, also where rounding has left it not quite positive definite."""
    try:
        return np.asarray(np.linalg.cholesky(covariance), np.float64)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(covariance)
        return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)), np.float64)
