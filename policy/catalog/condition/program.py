"""Conditions made ready for decisions: compiled once into closures over a row of values.

Between the tree and ``policy.catalog.eligibility``, which reads the fields of a visitor once a
decision and asks each distinct question once.

A field may be unknown (None): a visitor in no segment, a context that the page left out. Then a
comparison is neither true nor false but unknown, ``and``, ``or`` and ``not`` follow Kleene's strong
three-valued logic, as SQL does, and a condition holds only where it is true. So what is unknown
never makes an action eligible by being denied.

What a candidate lacks is not unknown but lacking: an action without a category has not this one, so
``action.category == "Wine"`` is false of it and ``!=`` is true.

References:
    Kleene. Introduction to Metamathematics. 1952, section 64.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

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
    Leaf,
    Not,
    fields_of,
)
from policy.catalog.condition.vocabulary import Vocabulary, check, literal

Test = Callable[[Sequence[Any]], bool | None]
"""From the values of ``Program.fields`` to true, false, or None for unknown."""

EQUAL_WITHIN = 1e-9
"""Numbers that differ by less, relative to their size, are equal: features that are kept as
logarithms come back with such an error, and ``profile.orders >= 3`` is meant for three orders."""

ACTION = "action"
"""Root of the fields that belong to a candidate instead of the visitor."""


class Program:
    """Conditions that are asked together.

    Args:
        vocabulary: The fields that there are.
        conditions: What may be asked.

    Attributes:
        fields: Of the visitor and the moment, in the order in which ``Test`` takes their values.
        action_fields: Of the candidate; their values follow.

    Raises:
        ConditionError: A condition asks what cannot be answered.

    Example:
        >>> from policy.catalog.condition.parser import parse
        >>> from policy.catalog.condition.vocabulary import FieldType
        >>> orders, price = Field("profile", "orders"), Field("action", "price_cents")
        >>> number = FieldType("number")
        >>> condition = parse("profile.orders >= 3 or action.price_cents < 1000")
        >>> program = Program({orders: number, price: number}, [condition])
        >>> test = program.test(condition)
        >>> test([2, 900]), test([2, 1000]), test([None, 1000])
        (True, False, None)
    """

    def __init__(self, vocabulary: Vocabulary, conditions: Iterable[Condition]) -> None:
        distinct = tuple(dict.fromkeys(conditions))
        for condition in distinct:
            check(condition, vocabulary)
        named = dict.fromkeys(field for condition in distinct for field in fields_of(condition))
        self.fields = tuple(field for field in named if field.root != ACTION)
        self.action_fields = tuple(field for field in named if field.root == ACTION)
        self._vocabulary = vocabulary
        self._slots = {field: i for i, field in enumerate((*self.fields, *self.action_fields))}
        self._tests = {condition: self._compiled(condition) for condition in distinct}

    def test(self, condition: Condition) -> Test:
        """The compiled form of one of the conditions."""
        return self._tests[condition]

    def _compiled(self, condition: Condition) -> Test:
        match condition:
            case Not(part):
                return _negation(self._compiled(part))
            case AllOf(parts):
                return _every([self._compiled(part) for part in parts])
            case AnyOf(parts):
                return _some([self._compiled(part) for part in parts])
            case _:
                return self._leaf(condition)

    def _leaf(self, leaf: Leaf) -> Test:
        slot, kind = self._slots[leaf.field], self._vocabulary[leaf.field]
        missing = _missing(leaf.field)
        match leaf:
            case Known():
                return _known(slot)
            case Holds():
                return operator.itemgetter(slot)
            case Compare(_, sign, value):
                if isinstance(value, Field):
                    other = self._slots[value]
                    return _compared((slot, other), sign, (missing, _missing(value)))
                return _against(slot, sign, literal(value, kind, leaf), missing)
            case Among(_, values):
                return _among(slot, [literal(value, kind, leaf) for value in values], missing)
            case Between(_, low, high):
                least, most = literal(low, kind, leaf), literal(high, kind, leaf)
                return _between(slot, _less(least), _more(most), missing)


def _missing(field: Field) -> bool | None:
    """What a comparison says of a field without a value."""
    return False if field.root == ACTION else None


def _negation(part: Test) -> Test:
    def negated(values: Sequence[Any]) -> bool | None:
        answer = part(values)
        return None if answer is None else not answer

    return negated


def _every(parts: Sequence[Test]) -> Test:
    def every(values: Sequence[Any]) -> bool | None:
        answer: bool | None = True
        for part in parts:
            one = part(values)
            if one is None:
                answer = None
            elif not one:
                return False
        return answer

    return every


def _some(parts: Sequence[Test]) -> Test:
    def some(values: Sequence[Any]) -> bool | None:
        answer: bool | None = False
        for part in parts:
            one = part(values)
            if one is None:
                answer = None
            elif one:
                return True
        return answer

    return some


def _known(slot: int) -> Test:
    return lambda values: values[slot] is not None


def _against(slot: int, sign: str, bound: Any, missing: bool | None) -> Test:
    """A field against a value that is known now: numbers move their bound by the tolerance."""
    if sign == "!=":
        return _negation(_against(slot, "==", bound, missing))
    if sign == "==" and isinstance(bound, float):
        return _between(slot, _less(bound), _more(bound), missing)
    holds = _SIGNS[sign]
    edge = bound if sign == "==" else _edge(sign, bound)

    def against(values: Sequence[Any]) -> bool | None:
        value = values[slot]
        return missing if value is None else holds(value, edge)

    return against


def _between(slot: int, low: Any, high: Any, missing: bool | None) -> Test:
    def between(values: Sequence[Any]) -> bool | None:
        value = values[slot]
        return missing if value is None else low <= value <= high

    return between


def _among(slot: int, options: Sequence[Any], missing: bool | None) -> Test:
    if isinstance(options[0], float):
        return _some([_against(slot, "==", option, missing) for option in options])
    listed = frozenset(options)

    def among(values: Sequence[Any]) -> bool | None:
        value = values[slot]
        return missing if value is None else value in listed

    return among


def _compared(slots: tuple[int, int], sign: str, missing: tuple[bool | None, bool | None]) -> Test:
    """A field against another field."""
    if sign == "!=":
        return _negation(_compared(slots, "==", missing))
    one, other = slots
    holds = _SIGNS[sign]

    def compared(values: Sequence[Any]) -> bool | None:
        value, bound = values[one], values[other]
        if value is None or bound is None:
            return missing[0] if value is None else missing[1]
        if sign == "==":
            return bool(_less(bound) <= value <= _more(bound))
        return holds(value, _edge(sign, bound))

    return compared


_SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _edge(sign: str, bound: Any) -> Any:
    """Where the numbers that equal the bound begin or end, as the sign needs it."""
    return _less(bound) if sign in (">=", "<") else _more(bound)


def _less(bound: Any) -> Any:
    """The smallest number that equals the bound; of anything else, itself."""
    return bound - EQUAL_WITHIN * max(1.0, abs(bound)) if _is_number(bound) else bound


def _more(bound: Any) -> Any:
    """The largest number that equals the bound; of anything else, itself."""
    return bound + EQUAL_WITHIN * max(1.0, abs(bound)) if _is_number(bound) else bound


def _is_number(value: object) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool)
