"""Learning from lists: one row for each slot that showed something."""

from __future__ import annotations

import numpy as np
import pytest

from policy.bandits.build import make_policy
from policy.base import Candidates
from policy.errors import BatchError, ParameterError
from policy.slots.asked import View
from policy.slots.reward import rows_of, shared_evenly


def view(position: float) -> View:
    features = np.array([[position, 0.0], [position, 1.0], [position, 2.0]])
    return View(np.array([1.0, position]), Candidates(("a", "b", "c"), features))


def test_each_slot_is_learned_as_it_was_seen() -> None:
    batch = rows_of((2, -1, 0), [view(1.0), view(2.0), view(3.0)], [0.5, 9.0, 0.25])
    assert batch.action_ids == ("c", "a")
    assert batch.contexts.tolist() == [[1.0, 1.0], [1.0, 3.0]]
    assert batch.features.tolist() == [[1.0, 2.0], [3.0, 0.0]]
    assert batch.rewards.tolist() == [0.5, 0.25]
    assert batch.first.all()


def test_an_empty_list_teaches_nothing_and_is_accepted() -> None:
    policy = make_policy("linucb", 2, 2)
    policy.update(rows_of((-1, -1), [view(1.0)], [0.0, 0.0]))
    assert policy.n_updates == 0


def test_a_reward_of_the_list_is_learned_to_add_up() -> None:
    """What is expected of the slots' actions sums to what lists of them earned."""
    policy = make_policy("linucb", 1, 0, floor=0.0, prior_action=1e-6, prior_intercept=1e-6)
    seen = View(np.ones(1), Candidates(("a", "b", "c", "d"), np.zeros((4, 0))))
    for _ in range(200):
        policy.update(rows_of((0, 1), [seen], shared_evenly(3.0, (0, 1))))
        policy.update(rows_of((2, 3, -1), [seen], shared_evenly(1.0, (2, 3, -1))))
    expected = policy.expected_rewards(seen.context, seen.candidates)
    assert expected[:2].sum() == pytest.approx(3.0, abs=0.01)
    assert expected[2:].sum() == pytest.approx(1.0, abs=0.01)


def test_nothing_shown_earns_nothing() -> None:
    assert shared_evenly(5.0, (-1, -1)).tolist() == [0.0, 0.0]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(BatchError, match=r"rewards has shape \(1,\): must be \(2,\)"):
        rows_of((0, 1), [view(1.0)], [1.0])
    with pytest.raises(BatchError, match="2 views: must be 1, or 3 as the slots"):
        rows_of((0, 1, 2), [view(1.0)] * 2, [1.0] * 3)
    with pytest.raises(ParameterError, match="reward is nan"):
        shared_evenly(np.nan, (0,))
