"""Lists: every draw has the probability that is logged, and the probabilities add up."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from policy.errors import DecisionError
from policy.slots.base import NOTHING_LEFT, Plan, Slot, conditionals_of, fill
from policy.slots.layers import Layers
from tests.policy.slots.strategies import all_lists, layers, open_plan

N_DRAWS = 20_000


@settings(deadline=None)
@given(layers())
def test_the_probabilities_of_all_lists_sum_to_one(conditionals: Layers) -> None:
    assert sum(all_lists(conditionals).values()) == pytest.approx(1.0, abs=1e-12)


@settings(deadline=None)
@given(layers(), st.integers(0, 2**32))
def test_a_drawn_list_carries_its_own_probability(conditionals: Layers, seed: int) -> None:
    filled = fill(conditionals, np.random.default_rng(seed))
    assert filled.joint == pytest.approx(all_lists(conditionals)[filled.chosen], rel=1e-12)
    np.testing.assert_array_equal(conditionals_of(conditionals, filled.chosen), filled.conditionals)


@settings(deadline=None)
@given(layers(), st.integers(0, 2**32))
def test_nothing_is_shown_twice_or_where_it_is_excluded(conditionals: Layers, seed: int) -> None:
    plan = conditionals.plan
    filled = fill(conditionals, np.random.default_rng(seed))
    shown = [choice for choice in filled.chosen if choice >= 0]
    assert len(set(shown)) == len(shown)
    for slot, (choice, reason) in enumerate(zip(filled.chosen, filled.reasons, strict=True)):
        before = list(filled.chosen[:slot])
        left = plan.eligible[slot] & ~np.isin(np.arange(len(plan.ids)), before)
        probabilities = filled.distributions[slot]
        if reason is None:
            assert left[choice]
            assert (probabilities[~left] == 0.0).all()
            # The floor over what is left.
            share = conditionals.floor / left.sum()
            assert (probabilities[left] >= share * (1.0 - 1e-12)).all()
        else:
            assert reason == NOTHING_LEFT
            assert not left.any()
            assert choice in {-1, plan.baselines[slot]}


@pytest.mark.parametrize("floor", [0.0, 0.2])
def test_draws_are_distributed_as_logged(floor: float) -> None:
    slots = [Slot("top"), Slot("side", frozenset("a")), Slot("foot")]
    plan = Plan.of(slots, tuple("abcde"))
    conditionals = Layers(plan, [0, 0, 0, 1, 1], [4.0, 2.0, 1.0, 1.0, 3.0], floor=floor)
    rng = np.random.default_rng(8)
    drawn = Counter(fill(conditionals, rng).chosen for _ in range(N_DRAWS))
    lists = all_lists(conditionals)
    assert drawn.keys() <= lists.keys()
    expected = [probability * N_DRAWS for probability in lists.values()]
    common = [i for i, n in enumerate(expected) if n >= 5.0]
    counts = [drawn[chosen] for chosen in lists]
    rare = [N_DRAWS - sum(numbers[i] for i in common) for numbers in (counts, expected)]
    observed = [counts[i] for i in common] + [rare[0]] * (rare[1] >= 5.0)
    wanted = [expected[i] for i in common] + [rare[1]] * (rare[1] >= 5.0)
    scale = sum(observed) / sum(wanted)
    assert chisquare(observed, [n * scale for n in wanted]).pvalue > 1e-4


def test_more_slots_than_candidates_leave_the_last_empty() -> None:
    filled = fill(Layers(open_plan(4, 2), [0, 1], [1.0, 1.0]), np.random.default_rng(0))
    assert filled.chosen == (0, 1, -1, -1)
    assert filled.reasons == (None, None, NOTHING_LEFT, NOTHING_LEFT)
    assert filled.conditionals.tolist() == [1.0, 1.0, 1.0, 1.0]


def test_a_baseline_fills_in_once_and_with_probability_one() -> None:
    nothing = frozenset("ab")
    plan = Plan.of(
        [Slot("top", nothing, "b"), Slot("side", nothing, "b"), Slot("foot")], ("a", "b")
    )
    filled = fill(Layers(plan, [0, 0], [1.0, 1.0]), np.random.default_rng(0))
    assert filled.chosen == (1, -1, 0)
    assert filled.reasons == (NOTHING_LEFT, NOTHING_LEFT, None)
    assert filled.joint == 1.0


def test_the_control_group_sees_the_baselines() -> None:
    slots = [Slot("top", baseline="c"), Slot("side"), Slot("foot", baseline="a")]
    plan = Plan.of(slots, ("a", "b", "c")).held_out()
    filled = fill(Layers(plan, [0, 0, 0], [1.0, 1.0, 1.0]), np.random.default_rng(0))
    assert filled.chosen == (2, -1, 0)
    assert filled.joint == 1.0


def test_the_joint_probability_survives_the_longest_list() -> None:
    n = 10_000
    plan = open_plan(50, n)
    ranking = Layers(plan, np.arange(n), np.ones(n), floor=0.01)
    least = conditionals_of(ranking, range(n - 1, n - 51, -1))
    assert 0.0 < math.prod(least) < 1e-290


@pytest.mark.parametrize("chosen", [(0, 0), (1, 1), (2, 1)])
def test_a_list_that_cannot_be_has_probability_zero(chosen: tuple[int, int]) -> None:
    plan = Plan.of([Slot("top", frozenset("c")), Slot("side")], ("a", "b", "c"))
    assert conditionals_of(Layers(plan, [0, 0, 0], [1.0, 1.0, 1.0]), chosen).prod() == 0.0


def test_a_slot_that_must_show_something_is_never_empty() -> None:
    conditionals = Layers(open_plan(2, 3), [0, 0, 0], [1.0, 1.0, 1.0])
    assert conditionals_of(conditionals, (-1, 0)).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("chosen", [(0,), (0, 1, 2), (0, 3), (-2, 0)])
def test_a_list_of_other_slots_or_actions_is_refused(chosen: tuple[int, ...]) -> None:
    conditionals = Layers(open_plan(2, 3), [0, 0, 0], [1.0, 1.0, 1.0])
    with pytest.raises(DecisionError, match="must be 2 places from -1 to 2"):
        conditionals_of(conditionals, chosen)


@pytest.mark.parametrize(
    ("slots", "message"),
    [
        ([], "0 slots: must be 1 to 50"),
        ([Slot(f"slot-{i}") for i in range(51)], "51 slots: must be 1 to 50"),
        ([Slot("top"), Slot("top")], "slot 'top' is there twice"),
        ([Slot("top", baseline="sale5")], "'sale5' is no candidate: did you mean 'sale50'"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(slots: list[Slot], message: str) -> None:
    with pytest.raises(DecisionError, match=message):
        Plan.of(slots, ("sale50", "tea"))
