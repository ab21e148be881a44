"""Sums over visitors add up, whatever the parts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.errors import LogError
from policy.lift.outcomes import Outcomes

NUMBERS = st.floats(-1e6, 1e6)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=30), st.integers(0, 30))
def test_parts_merge_to_the_whole(visitors: list[tuple[float, float]], cut: int) -> None:
    rows = np.array(visitors, np.float64).reshape(-1, 2)
    whole = Outcomes.of(rows[:, 0], rows[:, 1])
    merged = Outcomes.of(rows[:cut, 0], rows[:cut, 1]).merged(
        Outcomes.of(rows[cut:, 0], rows[cut:, 1])
    )
    assert merged.n_visitors == whole.n_visitors
    assert merged.means == pytest.approx(whole.means, abs=1e-6)
    assert merged.products == pytest.approx(whole.products, rel=1e-6, abs=1e-2)


def test_a_large_mean_loses_no_precision() -> None:
    outcome = 1e9 + np.array([0.0, 1.0, 2.0, 3.0])
    found = Outcomes.of(outcome[:2]).merged(Outcomes.of(outcome[2:]))
    assert found.products[0, 0] == pytest.approx(5.0)


def test_a_value_that_is_not_finite_is_named() -> None:
    with pytest.raises(LogError, match="visitor 1 has outcome nan"):
        Outcomes.of(np.array([1.0, np.nan]))
    with pytest.raises(LogError, match="one number a visitor"):
        Outcomes.of(np.ones(3), np.ones(2))
