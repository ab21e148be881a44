"""What conditions may ask about: the fields that exist, and what each of them holds.

Checked when the configuration is read, so that no decision meets a question without a meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from policy.catalog.condition.tree import (
    Among,
    Between,
    Compare,
    Condition,
    Field,
    Holds,
    Known,
    Leaf,
    Value,
    leaves,
    written,
)
from policy.errors import ConditionError, suggestion

ORDERED = ("number", "date")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""As conditions write them."""


@dataclass(frozen=True, slots=True)
class FieldType:
    """What a field holds.

    Args:
        kind: ``date`` values are ``datetime.date``; conditions write them as "2026-11-27".
        values: The texts that it can hold, where they are known.
        low: Smallest number that it can hold, where there is one.
        high: Largest number.

    Example:
        >>> hour = Field("time", "hour")
        >>> check(Compare(hour, "==", 24.0), {hour: FieldType("number", (), 0, 23)})
        Traceback (most recent call last):
        ...
        policy.errors.ConditionError: condition 'time.hour == 24': 24 is not from 0 to 23
    """

    kind: Literal["number", "text", "flag", "date"]
    values: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None


Vocabulary = Mapping[Field, FieldType]


def check(condition: Condition, vocabulary: Vocabulary) -> None:
    """Refuse a condition that asks what cannot be answered.

    Raises:
        ConditionError: An unknown field (the nearest is named), or a comparison of other types.
    """
    for leaf in leaves(condition):
        _check_leaf(leaf, vocabulary)


def _check_leaf(leaf: Leaf, vocabulary: Vocabulary) -> None:
    kind = _type_of(leaf.field, vocabulary, leaf)
    match leaf:
        case Known():
            pass
        case Holds(field):
            if kind.kind != "flag":
                raise ConditionError(str(leaf), f"{field} is no flag: compare it with something")
        case Compare(field, operator, value):
            if operator not in ("==", "!=") and kind.kind not in ORDERED:
                rule = f"{field} is a {kind.kind}, which has no order: use == or !="
                raise ConditionError(str(leaf), rule)
            _check_operand(value, kind, vocabulary, leaf)
        case Among(_, values):
            for value in values:
                literal(value, kind, leaf)
        case Between(_, low, high):
            _check_bounds(kind, low, high, leaf)


def literal(value: Value, kind: FieldType, leaf: Leaf) -> Value | date:
    """A written value as what the field holds.

    Raises:
        ConditionError: It is of another type, or none that the field can hold.
    """
    if kind.kind == "date" and isinstance(value, str):
        return _date(value, leaf)
    fits = {"number": float, "text": str, "flag": bool, "date": str}[kind.kind]
    if not isinstance(value, fits):
        wanted = "a date such as '2026-11-27'" if kind.kind == "date" else f"a {kind.kind}"
        raise ConditionError(str(leaf), f"{written(value)} is not {wanted}")
    if isinstance(value, str) and kind.values and value not in kind.values:
        rule = f"{written(value)} is no value of it: {suggestion(value, kind.values)}"
        raise ConditionError(str(leaf), rule)
    if isinstance(value, float):
        _check_range(value, kind, leaf)
    return value


def _type_of(field: Field, vocabulary: Vocabulary, leaf: Leaf) -> FieldType:
    kind = vocabulary.get(field)
    if kind is None:
        hint = suggestion(str(field), _nearby(field, vocabulary))
        raise ConditionError(str(leaf), f"no such field as {field}: {hint}")
    return kind


def _nearby(field: Field, vocabulary: Vocabulary) -> list[str]:
    """Names under the same root, where there is one, else all."""
    same = [str(known) for known in vocabulary if known.root == field.root]
    return same or [str(known) for known in vocabulary]


def _check_operand(
    value: Value | Field, kind: FieldType, vocabulary: Vocabulary, leaf: Leaf
) -> None:
    if not isinstance(value, Field):
        literal(value, kind, leaf)
        return
    other = _type_of(value, vocabulary, leaf)
    if other.kind != kind.kind:
        rule = f"{value} is a {other.kind}, the other side a {kind.kind}: must be the same"
        raise ConditionError(str(leaf), rule)


def _check_bounds(kind: FieldType, low: Value, high: Value, leaf: Leaf) -> None:
    if kind.kind not in ORDERED:
        rule = f"a {kind.kind} has no order: list the values with 'in'"
        raise ConditionError(str(leaf), rule)
    least, most = literal(low, kind, leaf), literal(high, kind, leaf)
    if least > most:  # type: ignore[operator]  # both numbers, or both dates
        raise ConditionError(str(leaf), "never holds: the lower bound is above the upper one")


def _check_range(value: float, kind: FieldType, leaf: Leaf) -> None:
    low = -float("inf") if kind.low is None else kind.low
    high = float("inf") if kind.high is None else kind.high
    if not low <= value <= high:
        bounds = f"from {written(float(low))} to {written(float(high))}"
        raise ConditionError(str(leaf), f"{written(value)} is not {bounds}")


def _date(text: str, leaf: Leaf) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        rule = f"{written(text)} is not a date such as '2026-11-27'"
        raise ConditionError(str(leaf), rule) from None
