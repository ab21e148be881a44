"""Rules as a target: the first that holds and can be shown, read from the log's rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.catalog.condition.parser import parse
from policy.catalog.condition.tree import Field
from policy.catalog.condition.vocabulary import FieldType
from policy.errors import ConditionError, EvaluationError
from policy.ope.log import Decisions
from policy.ope.rules import Flags, Known, Label, Numbers, Rule, Rules, Texts

ACTIONS = ("tea", "wine", "salt")
FIELDS = {
    Field("profile", "orders"): Known(FieldType("number"), Numbers(0, np.expm1)),
    Field("profile", "known"): Known(FieldType("flag"), Flags(1)),
    Field("context", "device"): Known(
        FieldType("text", ("app", "web")), Texts({"app": 2, "web": 3})
    ),
    Field("segment"): Known(FieldType("text"), Label("segment", "none")),
    Field("time", "hour"): Known(FieldType("number", (), 0, 23), Label("hour", as_="number")),
    Field("time", "date"): Known(FieldType("date"), Label("day", as_="date")),
    Field("action", "category"): Known(FieldType("text"), Label("segment")),
}


def log(eligible: np.ndarray | None = None) -> Decisions:
    return Decisions(
        ACTIONS,
        np.zeros(4, int) if eligible is None else eligible.argmax(axis=1),
        np.ones(4),
        np.full(4, 0.5),
        np.array([[np.log1p(3), 1, 1, 0], [0, 0, 0, 1], [np.log1p(9), 0, 0, 0], [0, 1, 1, 0]]),
        eligible=eligible,
        labels={
            "segment": np.array(["s1", "s2", "none", "s1"]),
            "hour": np.array(["03", "12", "22", "12"]),
            "day": np.array(["2026-03-01", "2026-03-02", "2026-03-03", "2026-03-04"]),
        },
    )


def shown(
    *rules: tuple[str, str], otherwise: str = "tea", eligible: np.ndarray | None = None
) -> list[str]:
    """The action of each row."""
    made = Rules(tuple(Rule(parse(when), show) for when, show in rules), otherwise, FIELDS)
    probabilities = made.probabilities(log(eligible))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    return [ACTIONS[i] if p[i] == 1.0 else "even" for p in probabilities for i in [p.argmax()]]


@pytest.mark.parametrize(
    ("when", "rows"),
    [
        ("profile.orders == 3", [0]),
        ("profile.orders >= 3", [0, 2]),
        ("profile.known", [0, 3]),
        ('context.device == "app"', [0, 3]),
        ('not context.device == "app"', [1]),  # of the third row nothing is known
        ("context.device is unknown", [2]),
        ('segment == "s1"', [0, 3]),
        ("segment is known", [0, 1, 3]),
        ("time.hour < 6 or time.hour >= 22", [0, 2]),
        ('time.date > "2026-03-02"', [2, 3]),
    ],
)
def test_a_condition_is_read_from_the_log(when: str, rows: list[int]) -> None:
    assert shown((when, "wine")) == ["wine" if row in rows else "tea" for row in range(4)]


def test_the_first_rule_that_holds_decides() -> None:
    rules = (('segment == "s1"', "wine"), ("profile.known", "salt"), ("time.hour > 11", "salt"))
    assert shown(*rules) == ["wine", "salt", "salt", "wine"]


@given(
    st.lists(st.lists(st.booleans(), min_size=3, max_size=3).filter(any), min_size=4, max_size=4)
)
def test_what_is_not_eligible_is_passed_over(rows: list[list[bool]]) -> None:
    eligible = np.array(rows)
    found = shown(("profile.known", "wine"), ("time.hour == 12", "salt"), eligible=eligible)
    for row, name in enumerate(found):
        holds = [name for name, rows in (("wine", [0, 3]), ("salt", [1, 3])) if row in rows]
        wanted = [name for name in (*holds, "tea") if eligible[row, ACTIONS.index(name)]]
        n_eligible = eligible[row].sum()
        even = ACTIONS[eligible[row].argmax()] if n_eligible == 1 else "even"
        assert name == (wanted[0] if wanted else even)


def test_what_the_log_cannot_answer_is_refused() -> None:
    with pytest.raises(ConditionError, match=r"did you mean 'profile\.orders'"):
        shown(("profile.order > 1", "wine"))
    with pytest.raises(EvaluationError, match="rules choose the action"):
        shown(('action.category == "tea"', "wine"))
    with pytest.raises(EvaluationError, match="which the log never could"):
        shown(("profile.known", "gin"))
