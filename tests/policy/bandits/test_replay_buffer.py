"""The rows that are learned again."""

from __future__ import annotations

import numpy as np
import pytest

from policy.bandits.replay_buffer import ReplayBuffer
from policy.bandits.warm_up import Row
from policy.errors import StateError


def row(number: int, action_id: str = "a") -> Row:
    return Row(action_id, np.array([1.0, number]), np.array([number]), 1.0, first=True, before=0.0)


def filled(n: int) -> ReplayBuffer:
    buffer = ReplayBuffer(2, 1, 20)
    for number in range(n):
        buffer.append(row(number, "ab"[number % 2]))
    return buffer


def test_a_correction_changes_its_decision() -> None:
    buffer = filled(6)
    assert buffer.correct(row(4)._replace(reward=-0.25, first=False, before=1.0))
    assert [kept.reward for kept in buffer.rows] == [1.0, 1.0, 1.0, 1.0, 0.75, 1.0]


def test_what_is_forgotten_is_not_corrected() -> None:
    buffer = filled(6)
    buffer.keep_last(2)
    assert [kept.x[1] for kept in buffer.rows] == [4.0, 5.0]
    assert not buffer.correct(row(0)._replace(first=False, before=1.0))
    assert buffer.correct(row(4)._replace(first=False, before=1.0))
    assert [kept.reward for kept in buffer.rows] == [2.0, 1.0]


def test_it_keeps_copies() -> None:
    buffer, mine = filled(0), row(3)
    buffer.append(mine)
    mine.x[:] = 0.0
    assert buffer.rows[0].x.tolist() == [1.0, 3.0]


@pytest.mark.parametrize("n", [0, 7])
def test_it_is_saved_and_read_back(n: int) -> None:
    buffer, read = filled(n), ReplayBuffer(2, 1, 20)
    buffer.keep_last(5)
    read.restore(["a", "b"], buffer.arrays(["a", "b"]))
    assert len(read.rows) == min(n, 5)
    assert all(one.is_same(other) for one, other in zip(read.rows, buffer.rows, strict=True))


@pytest.mark.parametrize("fault", ["missing", "nan", "width", "length", "action", "many"])
def test_damaged_arrays_are_refused(fault: str) -> None:
    arrays = filled(7).arrays(["a", "b"])
    capacity = 20
    if fault == "missing":
        del arrays["replay_numbers"]
    elif fault == "nan":
        arrays["replay_contexts"][0, 0] = np.nan
    elif fault == "width":
        arrays["replay_features"] = np.zeros((7, 2))
    elif fault == "length":
        arrays["replay_contexts"] = arrays["replay_contexts"][1:]
    elif fault == "action":
        arrays["replay_numbers"][0, 0] = 2.0
    else:
        capacity = 6
    with pytest.raises(StateError, match="replay_"):
        ReplayBuffer(2, 1, capacity).restore(["a", "b"], arrays)
