"""Sums per arm, and the intervals made of them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from policy.bandits.arm_record import ArmRecord, ArmSummary
from policy.bandits.build import make_policy
from policy.bandits.linear_policy import MOST_COMPARED
from policy.base import Batch


def summary_of(rewards: list[float]) -> ArmSummary:
    record = ArmRecord()
    for reward in rewards:
        record.count(0, reward, 0.0)
    return record.summaries(["a"], np.array([1.0]))[0]


def test_wilson_covers_a_rate() -> None:
    """Nominal 95 %, for rates at which the normal interval fails."""
    rng, covered = np.random.default_rng(0), []
    for _ in range(2_000):
        low, high = summary_of((rng.random(60) < 0.03).astype(float).tolist()).interval
        covered.append(low <= 0.03 <= high)
    assert 0.92 < np.mean(covered) < 0.99


def test_the_normal_interval_covers_a_mean() -> None:
    rng, covered = np.random.default_rng(1), []
    for _ in range(1_000):
        low, high = summary_of(rng.normal(5.0, 2.0, 80).tolist()).interval
        covered.append(low <= 5.0 <= high)
    assert 0.92 < np.mean(covered) < 0.98


def test_no_success_is_no_certainty() -> None:
    low, high = summary_of([0.0] * 20).interval
    assert low == 0.0
    assert 0.1 < high < 0.2


@pytest.mark.parametrize("reward", [0.0, 1.0])
def test_the_interval_holds_the_mean_to_the_last_digit(reward: float) -> None:
    for n in range(1, 200):
        low, high = summary_of([reward] * n).interval
        assert low <= reward <= high


def test_one_number_has_no_interval_and_none_no_mean() -> None:
    assert summary_of([3.0]).interval == (-math.inf, math.inf)
    assert math.isnan(summary_of([]).mean_reward)


def test_corrections_and_removals_are_exact() -> None:
    record, plain = ArmRecord(), ArmRecord()
    for reward in (1.0, 4.0, -2.0):
        plain.count(0, reward, 0.5)
    for reward in (1.0, 7.0, -2.0, 9.0):
        record.count(0, reward, 0.5)
    record.correct(0, -3.0, 7.0)
    record.remove(0, 9.0)
    np.testing.assert_allclose(record.sums(1), plain.sums(1))


def test_it_grows_with_the_actions() -> None:
    record = ArmRecord()
    for index in range(40):
        record.count(index, float(index), 0.0)
    assert record.sums(40)[:, 1].tolist() == list(range(40))


def test_right_predictions_show_in_bias_and_dispersion() -> None:
    record, rng = ArmRecord(), np.random.default_rng(2)
    for surprise in rng.normal(size=4_000):
        record.count(0, 0.0, float(surprise))
    found = record.summaries(["a"], np.array([1.0]))[0]
    assert found.bias == pytest.approx(0.0, abs=0.06)
    assert found.dispersion == pytest.approx(1.0, abs=0.1)


def test_of_too_many_actions_the_chance_to_be_best_is_not_known() -> None:
    n = MOST_COMPARED + 1
    ones = np.ones((n, 1))
    policy = make_policy("linucb", 1, 0)
    ids = tuple(f"a{i}" for i in range(n))
    policy.update(Batch(ones, np.zeros((n, 0)), ids, np.ones(n), np.ones(n, np.bool_)))
    arms = policy.summary()
    assert {arm.n for arm in arms} == {1}
    assert all(math.isnan(arm.p_best) for arm in arms)
