"""Numbers on their way in."""

from __future__ import annotations

import numpy as np
import pytest

from policy.bounds import bounded, parameter
from policy.errors import BatchError, ParameterError


def test_many_values_within_the_bound_pass_though_their_squares_add_up() -> None:
    values = np.full(100, 0.9e6)
    assert bounded("x", values, (100,), 1e6, BatchError).tolist() == values.tolist()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e6 + 1.0, -1.7e308])
def test_an_outlier_among_large_values_is_found(value: float) -> None:
    values = np.full((4, 25), 0.9e6)
    values[2, 7] = value
    with pytest.raises(BatchError, match=r"x\[2, 7\] is .*within ±1e\+06"):
        bounded("x", values, (4, 25), 1e6, BatchError)


def test_strided_and_narrow_input_is_read_right() -> None:
    values = np.arange(12, dtype=np.float32).reshape(3, 4).T[::2]
    assert bounded("x", values, (2, 3), 1e6, BatchError).tolist() == [[0, 4, 8], [2, 6, 10]]


@pytest.mark.parametrize("value", [True, "1", None, float("nan"), float("inf"), -1.0])
def test_a_parameter_must_be_a_number_in_range(value: float) -> None:
    with pytest.raises(ParameterError, match=r"alpha is .*: must be a number of at least 0"):
        parameter("alpha", value, 0.0)
