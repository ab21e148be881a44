"""Conditions: what is printed parses to the same, and no text breaks the parser."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.catalog.condition.parser import DEAREST, DEEPEST, LONGEST, parse
from policy.catalog.condition.tree import (
    AllOf,
    Among,
    AnyOf,
    Between,
    Compare,
    Field,
    Holds,
    Known,
    Not,
    quoted,
)
from policy.errors import ConditionError
from tests.policy.catalog.condition.trees import written_conditions

PIECES = (
    *("a", "profile.orders", "and", "or", "not", "in", "between", "is", "known", "unknown", "true"),
    *("(", ")", "[", "]", ",", ".", "==", "<", ">=", "'x'", "3", "-1e9", "=", "\\", '"', "'"),
)
A, B, C = (Holds(Field(name)) for name in "abc")


@given(written_conditions)
def test_what_is_printed_parses_to_the_same(condition):
    assert parse(str(condition)) == condition


@given(written_conditions)
def test_a_condition_survives_toml_in_both_kinds_of_strings(condition):
    text = str(condition)
    basic = tomllib.loads(f"condition = {quoted(text)}")["condition"]
    assert parse(basic) == condition
    if "'" not in text:
        assert tomllib.loads(f"condition = '{text}'")["condition"] == text


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("a or b and c", AnyOf((A, AllOf((B, C))))),
        ("(a or b) and c", AllOf((AnyOf((A, B)), C))),
        ("a and (b and c)", AllOf((A, AllOf((B, C))))),
        ("not a and b", AllOf((Not(A), B))),
        ("not (a and b)", Not(AllOf((A, B)))),
        ("((a))", A),
        ("profile.orders>=3", Compare(Field("profile", "orders"), ">=", 3.0)),
        ("x == -1.5e-3", Compare(Field("x"), "==", -0.0015)),
        ("x == true", Compare(Field("x"), "==", True)),
        ("x == y.z", Compare(Field("x"), "==", Field("y", "z"))),
        ("""x == 'it "is"'""", Compare(Field("x"), "==", 'it "is"')),
        (r"x == 'a\\b\'c'", Compare(Field("x"), "==", r"a\b'c")),
        ('context."cart items" > 0', Compare(Field("context", "cart items"), ">", 0.0)),
        ("x in [1, 'a', false]", Among(Field("x"), (1.0, "a", False))),
        ("x not in [1]", Not(Among(Field("x"), (1.0,)))),
        ("x between 1 and 2 and a", AllOf((Between(Field("x"), 1.0, 2.0), A))),
        ("x not between 1 and 2", Not(Between(Field("x"), 1.0, 2.0))),
        ("x is known", Known(Field("x"))),
        ("x is unknown", Not(Known(Field("x")))),
        (" a\n or\tb ", AnyOf((A, B))),
    ],
)
def test_it_means_what_it_says(text, condition):
    assert parse(text) == condition


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "at character 1: it ends where the name of a field, such as profile.orders"),
        ("a and", "at character 6: it ends where the name of a field"),
        ("a b", "at character 3: there is 'b' where 'and', 'or' or the end is expected"),
        ("a AND b", "there is 'AND' where 'and', 'or' or the end is expected; did you mean 'and'?"),
        ("a = 3", "'=' has no meaning here; did you mean '=='?"),
        ("a && b", "'&' has no meaning here; did you mean 'and'?"),
        ("a; b", "';' has no meaning here"),
        ("__import__('os')", "there is '(' where 'and', 'or' or the end is expected"),
        ("1 < a", "there is 1 where the name of a field"),
        ("a < 1 < 2", "there is '<' where"),
        ("a == ", "it ends where a number, a text in quotes, true or false is expected"),
        ("a == b.", "it ends where the name of a field"),
        ("a in []", "there is ']' where a number"),
        ("a in [1 2]", "there is 2 where ',' or ']' is expected"),
        ("a in [b]", "there is 'b' where a number"),
        ("a between 1 or 2", "there is 'or' where 'and' is expected"),
        ("a is 3", "there is 3 where 'known' or 'unknown' is expected"),
        ("a not 3", "there is 3 where 'in' or 'between' is expected"),
        ("(a", "it ends where ')' is expected"),
        ("a)", "there is ')' where"),
        ("true", "there is 'true' where the name of a field"),
        ("a == 'b", "at character 6: the text that starts with ' does not end"),
        (r"a == '\n'", "a backslash may only stand before a quote"),
        ("a == 'b\x00'", "a text must not hold control characters"),
        ("a == '\ud800'", "a text must not hold control characters"),
        ("a == 1e16", "'1e16' is too large: must be within ±1e+15"),
        ("a == 1x", "a number must end before a letter"),
        ("ä == 1", "'ä' has no meaning here"),
        (7, "condition '7': must be a text"),
    ],
)
def test_what_is_no_condition_is_refused_by_place_and_remedy(text, message):
    with pytest.raises(ConditionError) as caught:
        parse(text)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 500


def test_depth_length_and_cost_are_bounded():
    parse("(" * DEEPEST + "a" + ")" * DEEPEST)
    parse("not " * DEEPEST + "a")
    listed = ", ".join(["1"] * (DEAREST - 1))
    parse(f"a in [{listed}]")
    for text, message in (
        ("(" * (DEEPEST + 1) + "a" + ")" * (DEEPEST + 1), f"deeper than {DEEPEST} levels"),
        ("(" * 1_000_000, f"must have at most {LONGEST}"),
        ("(" * LONGEST, f"deeper than {DEEPEST} levels"),
        ("not " * (LONGEST // 4), f"deeper than {DEEPEST} levels"),
        ("not " * DEEPEST + "a is unknown", f"deeper than {DEEPEST} levels"),
        (f"a in [{listed}, 1]", f"more than {DEAREST} comparisons"),
        (" and ".join(["a"] * (DEAREST + 1)), f"more than {DEAREST} comparisons"),
        ("a" * LONGEST + "b", f"must have at most {LONGEST}"),
        ("a < " + "9" * (LONGEST - 4), "is too large"),
    ):
        with pytest.raises(ConditionError) as caught:
            parse(text)
        assert message in str(caught.value)


def test_a_text_that_would_print_longer_than_it_may_be_is_refused():
    text = "a == '" + '"' * (LONGEST - 10) + "'"
    with pytest.raises(ConditionError, match="must have at most"):
        parse(text)


@given(st.text(max_size=200) | st.lists(st.sampled_from(PIECES), max_size=60).map(" ".join))
def test_any_text_parses_or_raises_the_one_error(text):
    try:
        condition = parse(text)
    except ConditionError as error:
        assert error.rule  # noqa: PT017  # either is right, which is the point
    else:
        assert parse(str(condition)) == condition
