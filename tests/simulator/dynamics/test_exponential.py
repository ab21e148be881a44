import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simulator.dynamics.exponential import exp


@given(st.floats(-700, 700))
def test_it_is_the_exponential_to_thirteen_digits(x: float) -> None:
    assert abs(exp(np.array([x]))[0] / np.exp(x) - 1.0) < 1e-13


def test_beyond_its_range_it_stays_finite_and_positive() -> None:
    low, high = exp(np.array([-1e9, 1e9]))
    assert 0.0 < low < 1e-300
    assert 1e300 < high < np.inf


def test_it_never_falls() -> None:
    values = exp(np.linspace(-5, 5, 100_001))
    assert (np.diff(values) > 0).all()
