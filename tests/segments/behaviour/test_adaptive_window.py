import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segments.behaviour.adaptive_window import BATCH, AdaptiveWindow
from segments.errors import SegmentsError

STREAMS = {
    "normal": lambda rng, n: rng.normal(0.0, 1.0, n),
    "exponential": lambda rng, n: rng.exponential(1.0, n),
    "rare ones": lambda rng, n: (rng.random(n) < 0.1).astype(float),
    "heavy tails": lambda rng, n: rng.standard_t(3, n),
    "far from zero": lambda rng, n: 1e9 + rng.normal(0.0, 1.0, n),
}


@pytest.mark.parametrize("stream", STREAMS)
def test_without_a_change_there_is_less_than_one_alarm_in_ten_thousand(stream):
    alarms = n = 0
    for seed in range(10):
        window = AdaptiveWindow()
        values = STREAMS[stream](np.random.default_rng(seed), 5_000).tolist()
        alarms += sum(map(window.update, values))
        n += len(values)
    assert alarms / n < 1e-4


@pytest.mark.parametrize("by", [1.0, -1.0, 3.0])
def test_a_shift_of_a_deviation_is_found_within_sixty_values(by):
    waits = []
    for seed in range(60):
        rng, window = np.random.default_rng(seed), AdaptiveWindow()
        window.extend(rng.normal(5.0, 1.0, 300 + seed % BATCH).tolist())
        before = window.n_changes
        values = rng.normal(5.0 + by, 1.0, 200).tolist()
        waits.append(next(i for i, value in enumerate(values, 1) if window.update(value)))
        assert window.n_changes == before + 1
    assert np.mean(waits) <= 60
    assert np.mean(np.array(waits) <= 60) >= 0.9


def test_after_a_change_the_past_is_forgotten():
    rng, window = np.random.default_rng(0), AdaptiveWindow()
    window.extend(rng.normal(0.0, 1.0, 2_000).tolist())
    window.extend(rng.normal(4.0, 1.0, 400).tolist())
    assert window.mean == pytest.approx(4.0, abs=0.3)
    assert window.deviation == pytest.approx(1.0, abs=0.2)
    assert len(window) < 450


@given(st.lists(st.floats(-1e3, 1e3), max_size=200))
def test_the_mean_is_that_of_the_values_it_holds(values):
    window = AdaptiveWindow()
    window.extend(values)
    held = values[len(values) - len(window) :]
    if held and window.n_changes == 0:
        spread = max(held) - min(held)
        assert window.mean == pytest.approx(np.mean(held), abs=1e-6 + 0.5 * spread)
        assert len(window) == len(values)


@given(st.floats(-1e6, 1e6), st.integers(1, 300))
def test_a_constant_never_changes(value, n):
    window = AdaptiveWindow()
    assert not window.extend([value] * n)
    assert window.mean == pytest.approx(value)
    assert window.deviation == pytest.approx(0.0, abs=1e-6)


def test_a_constant_that_changes_is_found_at_once():
    window = AdaptiveWindow()
    window.extend([3.0] * 64)
    assert window.extend([4.0] * BATCH)


def test_the_state_stays_small():
    window = AdaptiveWindow()
    window.extend(np.random.default_rng(0).normal(0.0, 1.0, 50_000).tolist())
    assert len(window._buckets) < 40


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_values_that_are_none_are_refused_and_the_window_goes_on(broken):
    window = AdaptiveWindow()
    window.extend([1.0, 2.0] * BATCH)
    with pytest.raises(SegmentsError, match="values must be finite"):
        window.extend([broken] + [1.0] * BATCH)
    assert 1.0 <= window.mean <= 2.0


def test_a_batch_has_at_least_one_value():
    with pytest.raises(SegmentsError, match="batch must be at least 1, got 0"):
        AdaptiveWindow(batch=0)
