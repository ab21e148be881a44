"""Hypothesis strategies for conditions, and what they mean, said a second time."""

from __future__ import annotations

import operator
from typing import Any

from hypothesis import strategies as st

from policy.catalog.condition.tree import (
    AllOf,
    Among,
    AnyOf,
    Between,
    Compare,
    Condition,
    Field,
    Holds,
    Known,
    Not,
    fields_of,
)
from policy.catalog.condition.vocabulary import FieldType

ORDERS, BASKET = Field("profile", "orders"), Field("context", "cart items")
SEGMENT, KNOWN = Field("segment"), Field("profile", "known")
TYPES = {
    ORDERS: FieldType("number"),
    BASKET: FieldType("number"),
    SEGMENT: FieldType("text"),
    KNOWN: FieldType("flag"),
}
SEGMENTS = ("s1", "s2", 'a "quoted" \\ one')

texts = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=8)
numbers = st.floats(-1e15, 1e15, allow_nan=False) | st.integers(-5, 5).map(float)
words = st.sampled_from(("profile", "context", "segment", "x_1", "time"))
any_fields = st.builds(Field, words, st.none() | texts)
values = texts | numbers | st.booleans()
operators = st.sampled_from(("==", "!=", "<", "<=", ">", ">="))


def _nested(leaves: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    return st.recursive(
        leaves,
        lambda inner: (
            st.builds(Not, inner)
            | st.builds(AllOf, st.lists(inner, min_size=2, max_size=3).map(tuple))
            | st.builds(AnyOf, st.lists(inner, min_size=2, max_size=3).map(tuple))
        ),
        max_leaves=8,
    )


written_conditions = _nested(
    st.builds(Holds, any_fields)
    | st.builds(Known, any_fields)
    | st.builds(Compare, any_fields, operators, values | any_fields)
    | st.builds(Among, any_fields, st.lists(values, min_size=1, max_size=4).map(tuple))
    | st.builds(Between, any_fields, values, values)
)
"""Anything that can be written, whether or not it has a meaning."""

_few = st.integers(0, 3).map(float)
_number_fields = st.sampled_from((ORDERS, BASKET))
_some_texts = st.lists(st.sampled_from(SEGMENTS), min_size=1, max_size=2).map(tuple)

meant_conditions = _nested(
    st.just(Holds(KNOWN))
    | st.builds(Known, st.sampled_from(sorted(TYPES, key=str)))
    | st.builds(Compare, _number_fields, operators, _few | _number_fields)
    | st.builds(Compare, st.just(SEGMENT), st.sampled_from(("==", "!=")), st.sampled_from(SEGMENTS))
    | st.builds(Compare, st.just(KNOWN), st.sampled_from(("==", "!=")), st.booleans())
    | st.builds(Among, st.just(SEGMENT), _some_texts)
    | st.builds(Among, _number_fields, st.lists(_few, min_size=1, max_size=3).map(tuple))
    | st.builds(Between, _number_fields, st.just(1.0), st.sampled_from((1.0, 2.0)))
)
"""Conditions over `TYPES`."""

facts = st.fixed_dictionaries(
    {
        ORDERS: st.none() | _few,
        BASKET: st.none() | _few,
        SEGMENT: st.none() | st.sampled_from(SEGMENTS),
        KNOWN: st.none() | st.booleans(),
    }
)


def meaning(condition: Condition, known: dict[Field, Any]) -> bool | None:
    """Kleene's three values as the numbers 0, 1/2 and 1: not is 1 - a, and is min, or is max."""
    return {0.0: False, 0.5: None, 1.0: True}[_degree(condition, known)]


def _degree(condition: Condition, known: dict[Field, Any]) -> float:
    match condition:
        case Not(part):
            return 1.0 - _degree(part, known)
        case AllOf(parts):
            return min(_degree(part, known) for part in parts)
        case AnyOf(parts):
            return max(_degree(part, known) for part in parts)
        case Known(field):
            return float(known[field] is not None)
    asked = [known[field] for field in fields_of(condition)]
    return 0.5 if None in asked else float(_holds(condition, *asked))


def _holds(condition: Condition, value: Any, other: Any = None) -> bool:
    match condition:
        case Compare(_, sign, bound):
            return _SIGNS[sign](value, other if isinstance(bound, Field) else bound)
        case Among(_, options):
            return value in options
        case Between(_, low, high):
            return low <= value <= high
    return bool(value)


_SIGNS = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
