"""The value of a conversion: closed arithmetic, bounded whatever is written."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.errors import RewardSpecError
from policy.reward.conversion import Conversion, Line
from policy.reward.expression import LONGEST, NAMES, Expression

ORDER = Conversion(
    "Order Completed",
    revenue_cents=2_000,
    lines=(Line("p1", "Tea", None, 1_500, 3, 600), Line("p2", "Salt", None, 500, 1, 100)),
    total_cents=2_700,
    shipping_cents=500,
    tax_cents=200,
    discount_cents=250,
)
VALUES = {
    "cost": 7.0, "discount": 2.5, "hit": 1.0, "quantity": 4.0, "revenue": 20.0, "shipping": 5.0,
    "tax": 2.0,
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_name_reads_its_amount(name: str) -> None:
    assert Expression(name).of(ORDER) == VALUES[name]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("revenue - cost - 0.5 * discount", 11.75),
        ("revenue - cost * 2 + shipping", 11.0),
        ("(revenue - cost) * 2", 26.0),
        ("revenue - (cost - shipping)", 18.0),
        ("10 - 4 - 3", 3.0),
        ("--2", 2.0),
        ("-revenue", -20.0),
        ("2*-3", -6.0),
        ("max(0, revenue - 100)", 0.0),
        ("min(revenue, cost, 3)", 3.0),
        ("max(-1)", -1.0),
        ("min ( 2 , max(1, 0.5) )", 1.0),
        ("  revenue-cost\n", 13.0),
        ("5-3", 2.0),
    ],
)
def test_it_calculates_as_it_is_written(text: str, value: float) -> None:
    assert Expression(text).of(ORDER) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it ends at character 1 where a number or a name is expected"),
        ("revenue -", "it ends at character 10 where a number or a name"),
        ("revenu", "did you mean 'revenue'"),
        ("revenue / 2", "there is '/' at character 9 where an operator or the end"),
        ("revenue ** 2", r"there is '\*' at character 10"),
        ("(revenue", r"it ends at character 9 where '\)'"),
        ("revenue)", r"there is '\)' at character 8 where an operator"),
        ("max revenue", r"there is 'revenue' at character 5 where '\('"),
        ("max()", r"there is '\)' at character 5 where a number"),
        ("2 3", "there is '3' at character 3"),
        ("1e9", "there is 'e9' at character 2"),
        ("99999999999", "at most 1e"),
        ("nan", "there is 'nan'"),
        ("__import__('os')", "there is '__import__' at character 1"),
        ("revenue.real", "there is '.' at character 8"),
        ("lines", "there is 'lines'"),
        ("\uff52evenue", "where a number or a name"),
        ("(" * 21 + "1" + ")" * 21, "something simpler: at most 20 levels"),
        ("-" * 21 + "1", "at most 20 levels"),
        ("1" + "+1" * LONGEST, f"a text of at most {LONGEST} characters"),
    ],
)
def test_what_it_does_not_have_is_refused_by_place(text: str, said: str) -> None:
    with pytest.raises(RewardSpecError, match=said):
        Expression(text)


def test_something_else_than_a_text_is_refused() -> None:
    with pytest.raises(RewardSpecError, match="value is 3: must be a text"):
        Expression(3)  # type: ignore[arg-type]  # wrong on purpose


@given(st.text("revnuostax0123456789.()+-*,min max", max_size=LONGEST) | st.text(max_size=80))
def test_any_text_is_refused_or_gives_a_finite_number(text: str) -> None:
    try:
        expression = Expression(text)
    except RewardSpecError:
        return
    assert math.isfinite(expression.of(ORDER))


def _written(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pair = st.tuples(parts, st.sampled_from([" + ", " - ", " * "]), parts)
    return pair.map(lambda three: f"({''.join(three)})") | parts.map(lambda one: f"max(-{one}, 1)")


LEAVES = st.sampled_from(NAMES) | st.floats(0, 9).map(lambda x: f"{x:.3f}")


@given(st.recursive(LEAVES, _written, max_leaves=8).filter(lambda text: len(text) <= LONGEST))
def test_it_agrees_with_python(text: str) -> None:
    """Of at most eight factors up to 20, no product saturates."""
    expected = eval(text, {"__builtins__": {}}, {**VALUES, "max": max, "min": min})
    assert Expression(text).of(ORDER) == pytest.approx(expected, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("text", ["revenue" + "*1000000000" * 44, "0" + "+1" * 249])
def test_the_longest_expressions_are_finite_and_no_deeper_than_the_stack(text: str) -> None:
    assert len(text) > LONGEST - 100
    assert math.isfinite(Expression(text).of(ORDER))
