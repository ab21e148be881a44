"""The range of rewards, also after some are taken out."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.bandits.reward_range import RewardRange
from policy.errors import BatchError, StateError

rewards = st.lists(st.floats(-1e9, 1e9), max_size=20)


def of(values: list[float]) -> RewardRange:
    found = RewardRange()
    found.add(values)
    return found


def ends(found: RewardRange) -> tuple[float, float]:
    return found.low, found.high


@given(rewards)
def test_it_spans_what_was_learned_to_three_digits(values: list[float]) -> None:
    found = of(values)
    if not values:
        assert (found.low, found.high, found.width) == (math.inf, -math.inf, 0.0)
        return
    assert found.low == pytest.approx(min(values), rel=0.006, abs=1e-300)
    assert found.high == pytest.approx(max(values), rel=0.006, abs=1e-300)
    assert found.width == found.high - found.low


@given(rewards, rewards)
def test_what_is_taken_out_was_never_there(kept: list[float], out: list[float]) -> None:
    found = of(kept + out)
    found.take_out(out)
    assert ends(found) == ends(of(kept))
    assert found.as_json() == of(kept).as_json()


@given(rewards, rewards)
def test_two_ranges_merge_into_that_of_both(mine: list[float], theirs: list[float]) -> None:
    found = of(mine)
    found.merge(of(theirs))
    assert ends(found) == ends(of(mine + theirs))


@given(rewards)
def test_it_is_saved_and_read_back(values: list[float]) -> None:
    found = of(values)
    read = RewardRange.from_json(json.loads(json.dumps(found.as_json())))
    assert (ends(read), read.as_json()) == (ends(found), found.as_json())


def test_a_reward_that_was_not_learned_cannot_be_taken_out() -> None:
    found = of([1.0, 1.0, 0.0])
    with pytest.raises(BatchError, match="3 rows that earned 1 to remove, 1 of them never learned"):
        found.take_out([1.0, 0.0, 1.0, 1.0])
    assert found.as_json() == of([1.0, 1.0, 0.0]).as_json()


@pytest.mark.parametrize(
    "value", [None, {}, [1.0], [[1.0]], [[1, 1]], [[1.0, 0]], [[1.0, 2.0]], [[math.inf, 1]]]
)
def test_anything_else_is_refused(value: object) -> None:
    with pytest.raises(StateError, match="reward_counts"):
        RewardRange.from_json(value)
