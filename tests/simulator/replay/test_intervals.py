import math

import numpy as np
import pytest

from simulator.replay.intervals import clustered_mean


def test_a_case_worked_out_by_hand() -> None:
    """Clusters (1, 0) and (1, 1): mean 3/4, residuals -1/2 and 1/2, so SE = sqrt(2 · ½) / 4."""
    estimate = clustered_mean(np.array([1.0, 0.0, 1.0, 1.0]), np.array([5, 5, 9, 9]))
    t_quantile = 12.706204736432095
    assert estimate.value == 0.75
    assert estimate.high - estimate.value == pytest.approx(t_quantile * 0.25)
    assert (estimate.n_samples, estimate.n_clusters) == (4, 2)


def test_with_one_value_a_cluster_it_is_the_ordinary_interval_of_a_mean() -> None:
    values = np.random.default_rng(0).normal(size=50)
    estimate = clustered_mean(values, np.arange(50))
    t_quantile = 2.009575234489209
    half = t_quantile * values.std(ddof=1) / math.sqrt(50)
    assert (estimate.low, estimate.high) == pytest.approx(
        (values.mean() - half, values.mean() + half)
    )


def test_one_cluster_has_no_interval() -> None:
    estimate = clustered_mean(np.ones(3), np.zeros(3, dtype=np.int64))
    assert estimate.value == 1.0
    assert math.isnan(estimate.low)


def test_the_interval_covers_the_truth_where_ignoring_clusters_does_not() -> None:
    """Households of unequal size with rates of their own: 95 % must mean 95 %."""
    rng = np.random.default_rng(3)
    covered = naive = 0
    for _ in range(400):
        sizes = rng.integers(1, 120, size=60)
        clusters = np.repeat(np.arange(60), sizes)
        values = (rng.random(len(clusters)) < rng.beta(2, 4, size=60)[clusters]).astype(float)
        estimate = clustered_mean(values, clusters)
        covered += estimate.low <= 1 / 3 <= estimate.high
        alone = clustered_mean(values, np.arange(len(values)))
        naive += alone.low <= 1 / 3 <= alone.high
    assert 0.92 <= covered / 400 <= 0.98
    assert naive / 400 < 0.6
