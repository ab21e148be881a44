"""Corrections find their decisions again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.bandits.recent_rows import RecentRows
from policy.bandits.warm_up import Row
from policy.errors import StateError


def decision(action_id: str = "a", x: float = 0.0, reward: float = 0.0) -> Row:
    return Row(action_id, np.array([1.0, x]), np.array([x]), reward, first=True, before=0.0)


def correction(of: Row, change: float, before: float) -> Row:
    return of._replace(reward=change, first=False, before=before)


def test_a_correction_is_told_by_action_context_and_features() -> None:
    recent = RecentRows(10)
    rows = [decision("a", 0.1), decision("b", 0.1), decision("a", 0.2)]
    for row in rows:
        recent.append(row)
    assert [recent.corrected(correction(row, 1.0, 0.0)) for row in rows] == [0, 1, 2]
    assert recent.corrected(correction(decision("b", 0.2), 1.0, 0.0)) is None
    other_features = rows[0]._replace(z=np.array([9.0]))
    assert recent.corrected(correction(other_features, 1.0, 1.0)) is None


def test_of_equal_decisions_it_is_one_that_had_earned_as_much() -> None:
    recent = RecentRows(10)
    for reward in (1.0, 0.0, 1.0, 0.0):
        recent.append(decision(reward=reward))
    assert recent.corrected(correction(decision(), -1.0, 1.0)) == 2
    assert recent.corrected(correction(decision(), -1.0, 1.0)) == 0
    assert recent.corrected(correction(decision(), -1.0, 1.0)) is None
    assert recent.corrected(correction(decision(), 5.0, 0.0)) == 3
    assert recent.corrected(correction(decision(), 1.0, 5.0)) == 3


def test_sums_of_rewards_may_differ_in_their_last_digits() -> None:
    recent = RecentRows(10)
    recent.append(decision(reward=0.1))
    assert recent.corrected(correction(decision(), 0.2, 0.1)) == 0
    assert recent.corrected(correction(decision(), 1.0, 0.3)) == 0


@given(st.lists(st.integers(0, 3), max_size=30), st.integers(1, 8))
def test_only_the_last_decisions_are_remembered(contents: list[int], capacity: int) -> None:
    recent = RecentRows(capacity)
    for content in contents:
        recent.append(decision(x=content))
    last = {content: number for number, content in enumerate(contents)}
    for content, number in last.items():
        found = recent.corrected(correction(decision(x=content), 1.0, 0.0))
        assert found == (number if number >= len(contents) - capacity else None)


def test_it_is_saved_and_read_back() -> None:
    recent = RecentRows(5)
    for number in range(9):
        recent.append(decision(x=number % 4, reward=number))
    read = RecentRows(5)
    read.restore(recent.n, {"recent": recent.array()}, "recent")
    for number in range(9):
        change = correction(decision(x=number % 4), 1.0, number)
        assert read.corrected(change) == recent.corrected(change)
    assert read.array().tobytes() == recent.array().tobytes()


@pytest.mark.parametrize("array", [None, np.zeros((3, 2)), np.full((5, 2), np.nan)])
def test_a_damaged_memory_is_refused(array: np.ndarray | None) -> None:
    arrays = {} if array is None else {"recent": array}
    with pytest.raises(StateError, match="recent"):
        RecentRows(5).restore(9, arrays, "recent")
