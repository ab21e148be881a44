"""A condition as a tree: what the parser makes, what prints as the same condition again.

Nodes only hold; ``parser`` builds them, ``program`` evaluates them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

Value = str | float | bool
"""What can be written out: a text, a number, ``true`` or ``false``. A date is written as a text."""

Operator = Literal["==", "!=", "<", "<=", ">", ">="]

KEYWORDS = frozenset({"and", "or", "not", "in", "between", "is", "known", "unknown"})
CONSTANTS = {"true": True, "false": False}

WORD_START = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
WORD_REST = WORD_START | frozenset("0123456789")


@dataclass(frozen=True, slots=True)
class Field:
    """Something that is known at a decision, such as ``profile.orders`` or ``segment``.

    Args:
        root: The part before the point.
        name: The part behind it, any text; None where there is only a root.

    Example:
        >>> str(Field("context", "cart items")), str(Field("segment"))
        ('context."cart items"', 'segment')
    """

    root: str
    name: str | None = None

    def __str__(self) -> str:
        if self.name is None:
            return self.root
        return f"{self.root}.{self.name if _is_word(self.name) else quoted(self.name)}"


@dataclass(frozen=True, slots=True)
class Holds:
    """A flag that is set: ``profile.known``."""

    field: Field

    def __str__(self) -> str:
        return str(self.field)


@dataclass(frozen=True, slots=True)
class Known:
    """A field that has a value at all: ``segment is known``."""

    field: Field

    def __str__(self) -> str:
        return f"{self.field} is known"


@dataclass(frozen=True, slots=True)
class Compare:
    """A field against a value or against another field: ``profile.orders >= 3``."""

    field: Field
    operator: Operator
    value: Value | Field

    def __str__(self) -> str:
        return f"{self.field} {self.operator} {written(self.value)}"


@dataclass(frozen=True, slots=True)
class Among:
    """A field whose value is one of a list: ``segment in ["s1", "s4"]``."""

    field: Field
    values: tuple[Value, ...]

    def __str__(self) -> str:
        return f"{self.field} in [{', '.join(map(written, self.values))}]"


@dataclass(frozen=True, slots=True)
class Between:
    """A field within bounds, both included: ``time.hour between 8 and 20``."""

    field: Field
    low: Value
    high: Value

    def __str__(self) -> str:
        return f"{self.field} between {written(self.low)} and {written(self.high)}"


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a condition; of what is unknown, unknown."""

    part: Condition

    def __str__(self) -> str:
        return f"not {_grouped(self.part, (AllOf, AnyOf))}"


@dataclass(frozen=True, slots=True)
class AllOf:
    """Conditions that all have to hold: ``a and b``.

    Args:
        parts: At least two.
    """

    parts: tuple[Condition, ...]

    def __str__(self) -> str:
        return " and ".join(_grouped(part, (AllOf, AnyOf)) for part in self.parts)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Conditions of which one has to hold: ``a or b``.

    Args:
        parts: At least two.
    """

    parts: tuple[Condition, ...]

    def __str__(self) -> str:
        return " or ".join(_grouped(part, (AnyOf,)) for part in self.parts)


Leaf = Holds | Known | Compare | Among | Between
"""A question about one field, or two."""

Condition = Leaf | Not | AllOf | AnyOf


def leaves(condition: Condition) -> Iterator[Leaf]:
    """Every question that a condition asks, in its order."""
    match condition:
        case Not(part):
            yield from leaves(part)
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from leaves(part)
        case _:
            yield condition


def fields_of(condition: Condition) -> Iterator[Field]:
    """Every field that a condition names, in its order, repeats included.

    Example:
        >>> from policy.catalog.condition.parser import parse
        >>> [str(field) for field in fields_of(parse("segment is known or time.hour < 9"))]
        ['segment', 'time.hour']
    """
    for leaf in leaves(condition):
        yield leaf.field
        if isinstance(leaf, Compare) and isinstance(leaf.value, Field):
            yield leaf.value


def quoted(text: str) -> str:
    """A text between quotes, as the language and TOML's basic strings write it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def written(value: Value | Field) -> str:
    """A value or field as the language writes it.

    Example:
        >>> written(3.0), written(0.25), written(True), written("tea")
        ('3', '0.25', 'true', '"tea"')
    """
    if isinstance(value, Field):
        return str(value)
    if isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, str):
        return quoted(value)
    return repr(value).removesuffix(".0")


def _grouped(part: Condition, weaker: tuple[type, ...]) -> str:
    return f"({part})" if isinstance(part, weaker) else str(part)


def _is_word(name: str) -> bool:
    """Whether a name can stand without quotes, behind its point."""
    return bool(name) and name[0] in WORD_START and WORD_REST.issuperset(name)
