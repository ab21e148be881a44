"""What conditions may ask: unknown fields and wrong types are refused by name."""

from __future__ import annotations

import pytest
from hypothesis import given

from policy.catalog.condition.parser import parse
from policy.catalog.condition.tree import Field
from policy.catalog.condition.vocabulary import FieldType, check
from policy.errors import ConditionError
from tests.policy.catalog.condition.trees import TYPES, meant_conditions, written_conditions

VOCABULARY = {
    **TYPES,
    Field("time", "hour"): FieldType("number", (), 0, 23),
    Field("time", "date"): FieldType("date"),
    Field("context", "device"): FieldType("text", ("mobile", "desktop")),
}


@given(meant_conditions)
def test_what_has_a_meaning_is_accepted(condition):
    check(condition, TYPES)


@given(written_conditions)
def test_anything_else_raises_the_one_error(condition):
    try:
        check(condition, VOCABULARY)
    except ConditionError as error:
        assert error.rule  # noqa: PT017  # either is right


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("profile.ordrs > 3", "'profile.ordrs > 3': no such field as profile.ordrs: did you mean"),
        ("segmnt == 's1'", "did you mean 'segment'?"),
        ("context.device > 'mobile'", "context.device is a text, which has no order: use == or !="),
        ("context.device == 'moble'", "\"moble\" is no value of it: did you mean 'mobile'?"),
        ("context.device in ['mobile', 'tv']", '"tv" is no value of it'),
        ("context.device between 'a' and 'b'", "a text has no order: list the values with 'in'"),
        ("profile.orders == 'three'", '"three" is not a number'),
        ("profile.orders == true", "true is not a number"),
        ("profile.orders", "profile.orders is no flag: compare it with something"),
        ("profile.known == 1", "1 is not a flag"),
        ("profile.known > true", "profile.known is a flag, which has no order"),
        ("segment == profile.orders", "profile.orders is a number, the other side a text"),
        ("segment == context.devise", "no such field as context.devise: did you mean"),
        ("time.hour >= 24", "24 is not from 0 to 23"),
        ("time.hour between 20 and 8", "never holds: the lower bound is above the upper one"),
        ("time.date == '27.11.2026'", "is not a date such as '2026-11-27'"),
        ("time.date == 3", "3 is not a date such as '2026-11-27'"),
        ("a.b is known or time.hour > 3", "no such field as a.b"),
    ],
)
def test_what_has_none_is_refused_with_the_remedy(text, message):
    with pytest.raises(ConditionError) as caught:
        check(parse(text), VOCABULARY)
    assert message in str(caught.value)
