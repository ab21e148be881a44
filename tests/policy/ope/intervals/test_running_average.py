"""The average so far is within its bounds at every row, however it drifts."""

from __future__ import annotations

import numpy as np
import pytest

from policy.errors import EvaluationError, LogError
from policy.ope.intervals.betting import ConfidenceSequence
from policy.ope.intervals.running_average import Deviation, RunningAverage

N_ROWS, LOOK_ROWS = 2_000, 20
DRIFTS = {
    "still": np.full(N_ROWS, 0.3),
    "step": np.repeat([0.1, 0.6], N_ROWS // 2),
    "fall": np.linspace(0.8, 0.05, N_ROWS),
    "season": 0.3 + 0.25 * np.sin(np.arange(N_ROWS) / 60.0),
}


def missed(
    values: np.ndarray, rng: np.random.Generator, largest_weight: float | None, floor: float
) -> bool:
    """Whether the average so far was outside at any look."""
    weight = (rng.random(N_ROWS) < floor) / floor
    reward = (rng.random(N_ROWS) < values).astype(float)
    average = RunningAverage(0.0, 1.0, largest_weight=largest_weight)
    truth = values.cumsum() / np.arange(1, N_ROWS + 1)
    for start in range(0, N_ROWS, LOOK_ROWS):
        look = slice(start, start + LOOK_ROWS)
        average.update(weight[look], reward[look])
        if not average.stands(float(truth[start + LOOK_ROWS - 1])):
            return True
    return False


@pytest.mark.parametrize("largest_weight", [None, 5.0])
@pytest.mark.parametrize("drift", DRIFTS)
def test_the_average_so_far_is_outside_at_any_look_with_at_most_alpha(
    drift: str, largest_weight: float | None
) -> None:
    rng = np.random.default_rng(1)
    assert sum(missed(DRIFTS[drift], rng, largest_weight, 0.2) for _ in range(40)) <= 0.05 * 40


def test_evidence_against_the_truth_is_1_on_average_whatever_drifts() -> None:
    """A supermartingale, of values that depend on what came before."""
    rng = np.random.default_rng(2)
    wealth = []
    for _ in range(2_000):
        mean, total = 0.5, 0.0
        deviation = Deviation(1.0, 1.0)
        for _ in range(20):
            value = float(rng.random() < mean / 4.0) * 4.0
            total += mean
            deviation.update(np.array([value]))
            mean = 0.9 if value else 0.3
        wealth.append(np.exp(deviation.log_wealth(total)))
    assert np.mean(wealth) < 1.0 + 4.0 * np.std(wealth) / 2_000**0.5


def test_bounds_narrow_and_follow_the_average() -> None:
    rng = np.random.default_rng(3)
    values = np.repeat([0.2, 0.6], 20_000)
    reward = (rng.random(40_000) < values).astype(float)
    average = RunningAverage(0.0, 1.0)
    average.update(np.ones(20_000), reward[:20_000])
    early = average.interval
    average.update(np.ones(20_000), reward[20_000:])
    late = average.interval
    assert early.holds(0.2)
    assert late.holds(0.4)
    assert late.low > early.high
    assert late.half_width < 0.02
    # Bets presume a value that stays the same, and claim nothing here.
    bets = ConfidenceSequence(0.0, 1.0)
    bets.update(np.ones(40_000), reward)
    assert (bets.interval.low, bets.interval.high) == (0.0, 1.0)


def test_it_is_little_wider_than_bets_where_nothing_drifts() -> None:
    rng = np.random.default_rng(4)
    weight, reward = (rng.random(20_000) < 0.1) / 0.1, (rng.random(20_000) < 0.3) * 1.0
    average, bets = RunningAverage(0.0, 1.0), ConfidenceSequence(0.0, 1.0)
    average.update(weight, reward)
    bets.update(weight, reward)
    assert average.interval.half_width < 1.3 * bets.interval.half_width


def test_chunks_give_the_bounds_of_the_whole() -> None:
    rng = np.random.default_rng(5)
    weight, reward = rng.exponential(1.0, 1_000), rng.random(1_000)
    whole, parts = (RunningAverage(0.0, 1.0, largest_weight=50.0) for _ in range(2))
    whole.update(weight, reward)
    for rows in np.split(np.arange(1_000), [1, 300, 300, 999]):
        parts.update(weight[rows], reward[rows])
    assert parts.interval.low == pytest.approx(whole.interval.low, rel=1e-9)
    assert parts.interval.high == pytest.approx(whole.interval.high, rel=1e-9)


def test_a_bound_on_the_weights_narrows_where_rewards_are_rare() -> None:
    rng = np.random.default_rng(6)
    weight, reward = (rng.random(20_000) < 0.05) / 0.05, (rng.random(20_000) < 0.02) * 1.0
    blind, bounded = RunningAverage(0.0, 1.0), RunningAverage(0.0, 1.0, largest_weight=20.0)
    for average in (blind, bounded):
        average.update(weight, reward)
        assert average.interval.holds(0.02)
        assert average.stands(0.02)
        assert not average.stands(average.interval.high + 1e-6)
    assert bounded.interval.high < 0.5 * blind.interval.high


def test_a_range_is_scaled_and_nothing_is_known_before_the_first_row() -> None:
    rng = np.random.default_rng(7)
    weight, reward = rng.exponential(1.0, 500), rng.random(500)
    unit, cents = RunningAverage(0.0, 1.0), RunningAverage(-100.0, 100.0)
    assert (cents.interval.low, cents.interval.high) == (-100.0, 100.0)
    unit.update(weight, reward)
    cents.update(weight, 200.0 * reward - 100.0)
    assert cents.interval.low == pytest.approx(200.0 * unit.interval.low - 100.0)
    assert cents.interval.high == pytest.approx(200.0 * unit.interval.high - 100.0)


def test_what_would_break_the_promise_is_refused() -> None:
    with pytest.raises(LogError, match="widen the range of rewards"):
        RunningAverage(0.0, 1.0).update(np.ones(1), np.array([1.5]))
    with pytest.raises(LogError, match="largest_weight is 2"):
        RunningAverage(0.0, 1.0, largest_weight=2.0).update(np.array([3.0]), np.ones(1))
    with pytest.raises(EvaluationError, match="the lower one first"):
        RunningAverage(1.0, 0.0)
    with pytest.raises(EvaluationError, match="must be at least 1"):
        RunningAverage(0.0, 1.0, largest_weight=0.5)
