import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segments.evaluation.value import future_value


@given(
    st.lists(st.tuples(st.integers(-1, 3), st.floats(0.0, 1e6)), min_size=2, max_size=30),
)
def test_eta_squared_is_a_share_and_equals_r_squared_of_the_group_means(rows):
    labels = np.array([label for label, _ in rows], np.intp)
    outcome = np.array([value for _, value in rows])
    found = future_value(labels, outcome).eta_squared
    assert -1e-9 <= found <= 1.0 + 1e-9
    predicted = np.array([outcome[labels == label].mean() for label in labels])
    total = ((outcome - outcome.mean()) ** 2).sum()
    if total > 1e-3:
        rest = ((outcome - predicted) ** 2).sum()
        assert found == pytest.approx(1.0 - rest / total, abs=1e-6)


def test_groups_drawn_by_lot_know_nothing():
    rng = np.random.default_rng(0)
    assert future_value(rng.integers(0, 4, 5_000), rng.exponential(1.0, 5_000)).eta_squared < 0.01


def test_calibration_compares_what_came_with_what_was_foreseen():
    labels, outcome = np.array([0, 0, 1, -1]), np.array([1.0, 3.0, 6.0, 10.0])
    perfect = future_value(labels, outcome, np.array([2.0, 6.0, 10.0]))
    assert perfect.calibration_error == 0.0
    off = future_value(labels, outcome, np.array([3.0, 6.0, 10.0]))
    assert off.calibration_error == pytest.approx(2.0 / 4.0 / 5.0)


def test_a_segment_without_any_outcome_makes_the_spread_infinite():
    assert future_value(np.array([0, 1]), np.array([0.0, 5.0])).spread == np.inf
    assert future_value(np.array([0, 0]), np.array([0.0, 0.0])).eta_squared == 0.0
