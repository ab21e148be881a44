from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.catalog.holds import Hold, Holds
from policy.errors import StateError

made = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 50), st.booleans()), max_size=40)


@given(made, st.integers(0, 60))
def test_holds_end_once_and_the_earliest_first(
    holds: list[tuple[int, int, bool]], now_us: int
) -> None:
    kept = Holds()
    for i, (amount, expires_us, _) in enumerate(holds):
        kept.add(f"d{i}", Hold("coupon", amount, expires_us, 0.5))
    for i, (_, _, taken) in enumerate(holds):
        if taken:
            kept.take(f"d{i}")
    left = [Hold("coupon", n, at_us, 0.5) for n, at_us, taken in holds if not taken]
    due = kept.due(now_us)
    assert kept.amount == sum(hold.amount for hold in left)
    assert due == kept.due(now_us)
    ended = list(kept.expired(now_us))
    assert [hold.expires_us for hold in ended] == [hold.expires_us for hold in due]
    assert sorted(ended) == sorted(due) == sorted(h for h in left if h.expires_us <= now_us)
    assert kept.amount == sum(hold.amount for hold in left if hold.expires_us > now_us)
    assert list(kept.expired(now_us)) == kept.due(now_us) == []


@pytest.mark.parametrize(
    ("pairs", "expires", "told"),
    [
        (None, [1], "must be a list of pairs"),
        ([["d", "a"], ["d", "a"]], [1, 2], "must be distinct decisions"),
        ([["d", 1]], [1], "each with its action"),
        ([["d", "a"]], [1, 2], r"of shape \(1,\)"),
        ([["d", "a"]], [-1], "at least 0: the file is damaged"),
    ],
)
def test_a_damaged_state_is_refused(pairs: object, expires: list[int], told: str) -> None:
    arrays = {
        "hold_amount": np.ones(len(expires), np.int64),
        "hold_expires_us": np.array(expires, np.int64),
        "hold_expected": np.ones(len(expires)),
    }
    with pytest.raises(StateError, match=told):
        Holds.of_state(pairs, arrays)  # type: ignore[arg-type]  # meant
