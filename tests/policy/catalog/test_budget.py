from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy import model_file
from policy.catalog.budget import Budget
from policy.catalog.pacing.traffic import DAY_US, HOUR_US, Period
from policy.catalog.spending import Spending
from policy.errors import BookingError, ParameterError, StateError
from tests.policy.catalog.money import (
    AMOUNT,
    AT_ONCE,
    HELD,
    PERIODS,
    Step,
    Teller,
    a_budget,
    retold,
    stories,
)

periods = st.sampled_from(PERIODS)


def state_of(budget: Budget) -> bytes:
    return model_file.dump(*budget.state())


@given(stories, periods)
def test_what_is_spent_and_held_is_never_more_than_the_amounts_so_far(
    story: list[Step], period: Period
) -> None:
    teller = Teller(a_budget(period, HELD | AT_ONCE))
    for step in story:
        teller.live(step)
        budget = teller.budget
        assert budget.spent_cents + budget.held_cents <= teller.funded_cents
        assert budget.left_at(teller.now_us).purse_cents >= 0


@given(stories, periods)
def test_no_period_spends_more_at_once_than_its_amount(story: list[Step], period: Period) -> None:
    teller = Teller(a_budget(period, AT_ONCE))
    for step in story:
        teller.live(step)
    for number in {number for number, _ in teller.at_once}:
        assert sum(cents for n, cents in teller.at_once if n == number) <= AMOUNT
        assert period.funded(number)


@given(stories, periods)
def test_the_facts_alone_give_the_same_state(story: list[Step], period: Period) -> None:
    """Looking, beginning and giving up leave no trace: a replay of the log is exact."""
    teller = Teller(a_budget(period, HELD | AT_ONCE))
    for step in story:
        teller.live(step)
    again = retold(a_budget(period, HELD | AT_ONCE), teller.facts)
    assert state_of(again) == state_of(teller.budget)


@given(stories, stories, periods)
def test_a_saved_state_goes_on_as_if_nothing_had_been(
    before: list[Step], after: list[Step], period: Period
) -> None:
    teller = Teller(a_budget(period, HELD | AT_ONCE))
    for step in before:
        teller.live(step)
    resumed = a_budget(period, HELD | AT_ONCE)
    resumed.load_state(*model_file.load(state_of(teller.budget)))
    assert state_of(resumed) == state_of(teller.budget)
    n_before = len(teller.facts)
    for step in after:
        teller.live(step)
    assert state_of(retold(resumed, teller.facts[n_before:])) == state_of(teller.budget)


@given(stories, st.integers(0, 20 * DAY_US))
def test_what_will_be_left_is_what_is_left_then(story: list[Step], later_us: int) -> None:
    teller = Teller(a_budget(Period.daily(), HELD))
    for step in story:
        teller.live(step)
    budget, then_us = teller.budget, teller.now_us + later_us
    foreseen = budget.left_at(then_us)
    budget.decided("later", "nothing", then_us)
    left = budget.left_at(then_us)
    assert left.purse_cents == foreseen.purse_cents
    assert left.plan_cents == pytest.approx(foreseen.plan_cents, abs=1e-6)


def test_decisions_on_their_way_cannot_both_be_the_last_one_paid_for() -> None:
    budget = Budget("mail", 100, Period.daily(), {"mail": Spending(60)})
    budget.begin("d1", "mail")
    assert budget.held_back(0) == {"mail": "out_of_budget"}
    budget.cancel("d1")
    assert budget.held_back(0) == {}


def test_money_counts_by_period_and_what_is_left_over_lapses() -> None:
    budget = Budget("mail", 100, Period.daily(), {"mail": Spending(60)})
    budget.decided("d1", "mail", 0)
    assert budget.left_at(DAY_US - 1).plan_cents == 40.0
    assert budget.left_at(DAY_US).plan_cents == 100.0


def test_nothing_is_shown_before_and_after_a_campaign() -> None:
    budget = Budget("sale", 100, Period.total(DAY_US, 2 * DAY_US), {"mail": Spending(60)})
    out = {"mail": "out_of_budget"}
    assert [budget.held_back(day * DAY_US) for day in range(4)] == [out, {}, out, out]
    budget.decided("d1", "nothing", 0)
    assert [budget.held_back(day * DAY_US) for day in range(4)] == [out, {}, out, out]


def test_a_redemption_ends_the_hold_and_gives_the_rest_back() -> None:
    budget = Budget("coupons", 500, Period.daily(), {"coupon": Spending(300, hold_minutes=60)})
    budget.decided("d1", "coupon", 0)
    assert (budget.held_cents, budget.spent_cents) == (300, 0)
    budget.spend("d1", "coupon", 120, now_us=5)
    assert (budget.held_cents, budget.spent_cents) == (0, 120)
    assert budget.left_at(5).purse_cents == budget.left_at(5).plan_cents == 380
    assert budget.expected_cents("coupon") < 300.0


def test_a_hold_that_expires_is_there_again() -> None:
    budget = Budget("coupons", 500, Period.daily(), {"coupon": Spending(300, hold_minutes=60)})
    budget.decided("d1", "coupon", 0)
    assert budget.held_back(HOUR_US - 1) == {"coupon": "out_of_budget"}
    assert budget.held_back(HOUR_US) == {}
    budget.decided("d2", "nothing", HOUR_US)
    assert (budget.held_cents, budget.spent_cents) == (0, 0)


def test_facts_are_booked_whatever_is_left_and_paid_by_the_next_period() -> None:
    budget = Budget("coupons", 500, Period.daily(), {"coupon": Spending(300, hold_minutes=60)})
    budget.decided("d1", "coupon", 0)
    budget.spend("d1", "coupon", 700, now_us=1)
    assert budget.left_at(1).purse_cents == -200
    assert budget.left_at(DAY_US).plan_cents == 300.0


def test_the_price_rises_with_spending_and_falls_without() -> None:
    budget = Budget("coupons", 1_000, Period.daily(), {"coupon": Spending(100)})
    for i in range(5):
        budget.decided(f"d{i}", "coupon", i * 60_000_000)
    spent_fast = budget.price
    for i in range(5, 400):
        budget.decided(f"d{i}", "nothing", i * 60_000_000)
    assert budget.price < spent_fast
    costs = budget.costs(("nothing", "coupon"))
    np.testing.assert_allclose(costs, [0.0, 100 * budget.price])


def test_what_is_booked_twice_is_refused_and_changes_nothing() -> None:
    budget = Budget("coupons", 500, Period.daily(), {"coupon": Spending(300, hold_minutes=60)})
    budget.begin("d1", "coupon")
    with pytest.raises(BookingError, match="'d1' was begun before"):
        budget.begin("d1", "coupon")
    budget.decided("d1", "coupon", 0)
    before = state_of(budget)
    with pytest.raises(BookingError, match="'d1' was booked before"):
        budget.decided("d1", "coupon", 0)
    for cents in (10**13, 1.5, True):
        with pytest.raises(BookingError, match="whole number"):
            budget.spend("d1", "coupon", cents, 0)  # type: ignore[arg-type]  # meant
    assert state_of(budget) == before


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"amount_cents": 0}, "amount_cents is 0: must be a whole number from 1"),
        ({"spending": {}}, "'shop' has no action that costs anything"),
        ({"least_price": -1.0}, "least_price is -1.0"),
        ({"first_price": 0.0}, "first_price is 0.0"),
    ],
)
def test_terms_that_make_no_sense_are_refused(changes: dict[str, object], told: str) -> None:
    terms = {"amount_cents": 1, "period": Period.daily(), "spending": AT_ONCE, **changes}
    with pytest.raises(ParameterError, match=told):
        Budget("shop", **terms)  # type: ignore[arg-type]  # meant


@pytest.mark.parametrize(("cents", "minutes"), [(0, None), (1, 0), (1.5, None), (1, 10**9)])
def test_a_cost_out_of_range_is_refused(cents: int, minutes: int | None) -> None:
    with pytest.raises(ParameterError, match="must be a whole number from"):
        Spending(cents, minutes)


def test_a_state_on_other_terms_is_refused_and_changes_nothing() -> None:
    one, other = a_budget(Period.daily(), HELD), a_budget(Period.weekly(), HELD)
    one.decided("d1", "coupon", 0)
    before = state_of(other)
    with pytest.raises(StateError, match=r"saved period is .* now; fold the log again"):
        other.load_state(*one.state())
    assert state_of(other) == before


@pytest.mark.parametrize(
    "damage",
    [
        {"pace": None},
        {"pace": {"decided_us": None, "price": {"price": 0.0}}},
        {"pace": {"decided_us": "x", "price": {}}},
        {"account": None},
        {"account": {"number": "x"}},
    ],
)
def test_a_damaged_state_is_refused_and_changes_nothing(damage: dict[str, model_file.JSON]) -> None:
    budget = a_budget(Period.daily(), HELD)
    budget.decided("d1", "coupon", 0)
    manifest, arrays = budget.state()
    before = state_of(budget)
    with pytest.raises(StateError, match="saved"):
        budget.load_state(manifest | damage, arrays)
    with pytest.raises(StateError, match="hold_amount is missing"):
        budget.load_state(manifest, {})
    assert state_of(budget) == before
