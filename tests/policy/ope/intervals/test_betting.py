"""Bets lose against the truth at every time, and win against the rest."""

from __future__ import annotations

import numpy as np
import pytest

from policy.errors import EvaluationError, LogError
from policy.ope.intervals.betting import ConfidenceSequence, Wealth


def log_of(rng: np.random.Generator, n: int, floor: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    """Weights of 1 / floor with probability floor, 0 otherwise; rewards of 1 in three of ten."""
    return (rng.random(n) < floor) / floor, (rng.random(n) < 0.3).astype(float)


def test_the_truth_is_rejected_at_any_time_with_at_most_alpha() -> None:
    rng = np.random.default_rng(1)
    wrong = 0
    for _ in range(200):
        weight, reward = log_of(rng, 1_000)
        wealth = Wealth(np.array([0.3]), 0.05)
        for values in np.split(weight * reward, 50):
            wealth.update(values)
        wrong += bool(wealth.rejected[0])
    assert wrong <= 0.05 * 200


def test_the_sequence_holds_the_truth_and_narrows() -> None:
    rng = np.random.default_rng(2)
    weight, reward = log_of(rng, 20_000, floor=0.2)
    sequence = ConfidenceSequence(0.0, 1.0)
    widths = []
    for start in range(0, 20_000, 5_000):
        part = slice(start, start + 5_000)
        sequence.update(weight[part], reward[part])
        assert sequence.interval.holds(0.3)
        widths.append(sequence.interval.half_width)
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < 0.05


def test_a_fallen_value_beyond_one_that_stands_moves_no_bound() -> None:
    """The guarantee is of each value by itself: a gap would need more than one to be right."""
    sequence = ConfidenceSequence(0.0, 1.0, grid=np.array([0.1, 0.2, 0.3, 0.7, 0.8, 0.9]))
    for wealth, fallen in ((sequence._below, (0, 2)), (sequence._above, (5, 3))):
        wealth.log_peak[:] = 0.0
        wealth.log_peak[list(fallen)] = np.inf
    assert (sequence.interval.low, sequence.interval.high) == (0.1, 0.9)
    sequence._below.log_peak[1] = sequence._above.log_peak[4] = np.inf
    assert (sequence.interval.low, sequence.interval.high) == (0.3, 0.7)


def test_where_the_value_drifts_so_far_that_no_value_fits_nothing_is_claimed() -> None:
    rng = np.random.default_rng(7)
    reward = (rng.random(40_000) < np.linspace(0.2, 0.5, 40_000)).astype(float)
    drifting, still = ConfidenceSequence(0.0, 1.0), ConfidenceSequence(0.0, 1.0)
    drifting.update(np.ones(40_000), reward)
    assert (drifting.interval.low, drifting.interval.high) == (0.0, 1.0)
    still.update(np.ones(40_000), rng.permutation(reward))
    assert still.interval.holds(float(reward.mean()))
    assert still.interval.half_width < 0.02


def test_chunks_give_the_same_wealth_as_the_whole() -> None:
    values = np.random.default_rng(3).exponential(1.0, 1_000)
    whole, parts = (Wealth(np.array([0.5, 1.0]), 0.05) for _ in range(2))
    whole.update(values)
    for part in np.split(values, [1, 300, 300, 999]):
        parts.update(part)
    assert parts.log_wealth == pytest.approx(whole.log_wealth)
    assert (parts.active == whole.active).all()
    assert parts.n_rows == 1_000


def test_a_sequence_of_another_range_is_scaled() -> None:
    weight, reward = log_of(np.random.default_rng(4), 2_000, floor=0.5)
    unit, cents = ConfidenceSequence(0.0, 1.0), ConfidenceSequence(-100.0, 100.0)
    unit.update(weight, reward)
    cents.update(weight, 200.0 * reward - 100.0)
    assert cents.interval.low == pytest.approx(200.0 * unit.interval.low - 100.0)
    assert cents.interval.high == pytest.approx(200.0 * unit.interval.high - 100.0)


def test_a_bound_on_the_weights_narrows_the_upper_bound_of_rare_rewards() -> None:
    rng = np.random.default_rng(6)
    weight, _ = log_of(rng, 10_000, floor=0.2)
    reward = (rng.random(10_000) < 0.01).astype(float)
    free, bounded = ConfidenceSequence(0.0, 1.0), ConfidenceSequence(0.0, 1.0, largest_weight=5.0)
    for sequence in (free, bounded):
        sequence.update(weight, reward)
        assert sequence.interval.holds(0.01)
    assert bounded.interval.high < 0.5 * free.interval.high
    assert bounded.interval.low == free.interval.low
    with pytest.raises(LogError, match=r"a weight of 6\.0: largest_weight is 5"):
        bounded.update(np.array([6.0]), np.zeros(1))
    with pytest.raises(EvaluationError, match="must be at least 1"):
        ConfidenceSequence(0.0, 1.0, largest_weight=0.5)


def test_nothing_seen_bounds_nothing() -> None:
    interval = ConfidenceSequence(0.0, 1.0).interval
    assert (interval.low, interval.high) == (0.0, 1.0)


def test_what_no_bet_can_be_placed_on_is_refused() -> None:
    with pytest.raises(LogError, match=r"betting on -1.0: values must be at least 0"):
        Wealth(np.array([0.5]), 0.05).update(np.array([1.0, -1.0]))
    with pytest.raises(LogError, match=r"must be within 0\.0 and 1\.0; widen"):
        ConfidenceSequence(0.0, 1.0).update(np.ones(1), np.array([1.5]))
    with pytest.raises(EvaluationError, match="finite bounds"):
        ConfidenceSequence(0.0, float("inf"))
    with pytest.raises(EvaluationError, match="must be above 0"):
        Wealth(np.array([0.0]), 0.05)
