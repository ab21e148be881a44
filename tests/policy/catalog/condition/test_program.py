"""Compiled conditions: three values, a tolerance for numbers, each question on its own fields."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.catalog.condition.parser import parse
from policy.catalog.condition.program import Program
from policy.catalog.condition.tree import Field
from policy.catalog.condition.vocabulary import FieldType
from policy.errors import ConditionError
from tests.policy.catalog.condition.trees import TYPES, facts, meaning, meant_conditions

DATE, PRICE = Field("time", "date"), Field("action", "price_cents")
MORE = {**TYPES, DATE: FieldType("date"), PRICE: FieldType("number")}


def answer(text, **known):
    """What a condition says when its fields have these values, by their last name."""
    condition = parse(text)
    program = Program(MORE, [condition])
    fields = (*program.fields, *program.action_fields)
    return program.test(condition)([known.get(field.name or field.root) for field in fields])


@given(meant_conditions, facts)
def test_it_says_what_kleenes_logic_says(condition, known):
    program = Program(TYPES, [condition])
    values = [known[field] for field in program.fields]
    assert program.test(condition)(values) is meaning(condition, known)


@given(st.lists(meant_conditions, min_size=2, max_size=4), facts)
def test_conditions_of_one_program_do_not_disturb_each_other(conditions, known):
    program = Program(TYPES, conditions)
    values = [known[field] for field in program.fields]
    for condition in conditions:
        assert program.test(condition)(values) is meaning(condition, known)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("profile.orders >= 3", True),
        ("profile.orders > 3", False),
        ("profile.orders == 3", True),
        ("profile.orders != 3", False),
        ("profile.orders < 3", False),
        ("profile.orders <= 3", True),
        ("profile.orders in [2, 3]", True),
        ("profile.orders between 3 and 4", True),
        ("profile.orders >= 3.00001", False),
    ],
)
@pytest.mark.parametrize("orders", [3, 3 - 4e-10, 3 + 4e-10])
def test_numbers_that_are_equal_up_to_rounding_are_equal(text, holds, orders):
    assert answer(text, orders=orders) is holds


def test_one_of_less_equal_and_more_holds_of_two_numbers():
    for other in (2.9, 3 - 1e-10, 3.0, 3 + 1e-10, 3.1):
        signs = [answer(f"profile.orders {sign} 3", orders=other) for sign in ("<", "==", ">")]
        assert sorted(signs) == [False, False, True]


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("time.date == '2026-11-27'", True),
        ("time.date < '2026-11-27'", False),
        ("time.date between '2026-11-01' and '2026-11-30'", True),
        ("time.date in ['2026-11-26', '2026-11-28']", False),
    ],
)
def test_dates_compare_as_dates(text, holds):
    assert answer(text, date=date(2026, 11, 27)) is holds


def test_what_is_unknown_is_never_eligible_by_being_denied():
    assert answer("segment != 's1'") is None
    assert answer("segment not in ['s1']") is None
    assert answer("segment is unknown") is True
    assert answer("segment is unknown or segment != 's1'") is True


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("action.price_cents < 900", False),
        ("action.price_cents == 900", False),
        ("action.price_cents != 900", True),
        ("action.price_cents in [900]", False),
        ("action.price_cents not between 1 and 900", True),
        ("action.price_cents == profile.orders", False),
        ("profile.orders != action.price_cents", True),
        ("action.price_cents is known", False),
    ],
)
def test_what_a_candidate_lacks_is_lacking_and_not_unknown(text, holds):
    assert answer(text, orders=3) is holds


def test_fields_of_candidates_come_last():
    condition = parse("action.price_cents < 900 and profile.orders > 1")
    program = Program(MORE, [condition])
    assert program.fields == (Field("profile", "orders"),)
    assert program.action_fields == (PRICE,)
    assert program.test(condition)([2, 800]) is True
    assert program.test(condition)([800, 2]) is True
    assert program.test(condition)([2, 900]) is False


def test_a_condition_without_a_meaning_is_refused_at_once():
    with pytest.raises(ConditionError, match=r"did you mean 'profile\.orders'"):
        Program(TYPES, [parse("profile.ordrs > 3")])
