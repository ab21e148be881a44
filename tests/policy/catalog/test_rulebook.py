"""Rulebooks: what is contradictory is refused when they are made."""

from __future__ import annotations

import pytest

from policy.catalog.action import Action
from policy.catalog.condition.parser import parse
from policy.catalog.condition.tree import Field
from policy.catalog.condition.vocabulary import FieldType
from policy.catalog.rulebook import ACTION_FIELDS, Rulebook, Rules, action_vocabulary
from policy.errors import CatalogError, ConditionError

ORDERS = Field("profile", "orders")
SEGMENT = Field("segment")
VOCABULARY = {ORDERS: FieldType("number"), SEGMENT: FieldType("text"), **action_vocabulary([])}


def test_a_schedule_that_ends_before_it_starts_is_refused():
    for ends_us in (4, 5):
        with pytest.raises(CatalogError, match=f"ends_us is {ends_us}: must be after starts_us"):
            Rules(starts_us=5, ends_us=ends_us)


def test_a_condition_that_asks_what_nobody_knows_is_refused():
    with pytest.raises(ConditionError, match=r"no such field as profile\.ordrs"):
        Rulebook("home", VOCABULARY, {"tea": Rules(parse("profile.ordrs > 3"))})
    with pytest.raises(ConditionError, match=r"no such field as action\.margin"):
        Rulebook("home", VOCABULARY, {}, condition=parse("action.margin > 3"))


def test_it_says_what_it_needs_to_know_of_visitors_only():
    rules = {"tea": Rules(parse("profile.orders > 1 and action.brand == 'Acme'"))}
    book = Rulebook("home", VOCABULARY, rules, condition=parse("segment is known"))
    assert set(book.fields) == {ORDERS, SEGMENT}


def test_every_field_of_an_action_can_be_asked():
    action = Action("a", "price", "{}", "Tea", "Acme", (("margin", 0.5),), "push", 900, 400, "p1")
    read = {name: value(action) for name, (_, value) in ACTION_FIELDS.items()}
    assert read == {
        "id": "a",
        "kind": "price",
        "category": "Tea",
        "brand": "Acme",
        "channel": "push",
        "price_cents": 900,
        "cost_cents": 400,
        "price_of": "p1",
    }
    for name, value in read.items():
        kind, _ = ACTION_FIELDS[name]
        assert isinstance(value, str if kind.kind == "text" else int)


def test_a_feature_does_not_hide_a_field_of_its_name():
    assert action_vocabulary(["category"])[Field("action", "category")].kind == "text"
