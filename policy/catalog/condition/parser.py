"""Parses conditions by recursive descent, within bounds that no text can exceed.

    condition   = conjunction { "or" conjunction }
    conjunction = negation { "and" negation }
    negation    = "not" negation | "(" condition ")" | comparison
    comparison  = field [ operator (value | field)
                        | ["not"] "in" "[" value { "," value } "]"
                        | ["not"] "between" value "and" value
                        | "is" ("known" | "unknown") ]
    field       = word [ "." (word | text) ]
    operator    = "==" | "!=" | "<" | "<=" | ">" | ">="
    value       = number | text | "true" | "false"

Nothing is ever evaluated by Python itself, and there is nothing in the language that could loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Never, cast

from policy.catalog.condition.tokens import Token, tokens_of
from policy.catalog.condition.tree import (
    CONSTANTS,
    KEYWORDS,
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
    Operator,
    Value,
    written,
)
from policy.errors import ConditionError, shown, suggestion

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST = 4_000
"""Characters of a condition."""
DEEPEST = 20
"""Levels of parentheses and of ``not``."""
DEAREST = 300
"""Comparisons, and values of lists, in all."""

OPERATORS = frozenset({"==", "!=", "<", "<=", ">", ">="})


def parse(text: str) -> Condition:
    """The condition that a text says; printed, it parses to the same again.

    Args:
        text: At most ``LONGEST`` characters, ``DEEPEST`` levels and ``DEAREST`` comparisons.

    Raises:
        ConditionError: Naming the place, what stands there and what would be accepted.

    Example:
        >>> condition = parse("profile.orders >= 3 and not (segment in ['s1', 's2'])")
        >>> str(condition)
        'profile.orders >= 3 and not segment in ["s1", "s2"]'
        >>> parse(str(condition)) == condition
        True
    """
    if not isinstance(text, str):
        raise ConditionError(shown(text), "must be a text")
    _check_length(text)
    condition = _Parser(text).parse()
    _check_length(str(condition))  # so that what is printed parses again
    return condition


def _check_length(text: str) -> None:
    if len(text) > LONGEST:
        rule = f"has {len(text)} characters: must have at most {LONGEST}; split it over actions"
        raise ConditionError(text, rule)


class _Parser:
    """One pass over the tokens of a text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens_of(text)
        self._at = 0
        self._cost = 0

    def parse(self) -> Condition:
        condition = self._condition(0)
        if self._token.kind != "end":
            self._refuse("'and', 'or' or the end")
        return condition

    def _condition(self, depth: int) -> Condition:
        parts = self._separated("or", lambda: self._conjunction(depth))
        return parts[0] if len(parts) == 1 else AnyOf(parts)

    def _conjunction(self, depth: int) -> Condition:
        parts = self._separated("and", lambda: self._negation(depth))
        return parts[0] if len(parts) == 1 else AllOf(parts)

    def _separated(self, word: str, part: Callable[[], Condition]) -> tuple[Condition, ...]:
        parts = [part()]
        while self._took("word", word):
            parts.append(part())
        return tuple(parts)

    def _negation(self, depth: int) -> Condition:
        if depth > DEEPEST:
            rule = f"parentheses and 'not' are nested deeper than {DEEPEST} levels: simplify it"
            raise ConditionError(self._text, rule, self._token.position)
        if self._took("word", "not"):
            return Not(self._negation(depth + 1))
        if self._took("symbol", "("):
            condition = self._condition(depth + 1)
            self._expect("symbol", ")")
            return condition
        return self._comparison(depth)

    def _comparison(self, depth: int) -> Condition:
        self._charge()
        field = self._field()
        token = self._token
        if token.kind == "symbol" and token.value in OPERATORS:
            self._at += 1
            return Compare(field, cast("Operator", token.value), self._operand())
        if self._took("word", "is"):
            return self._is(field, depth)
        if self._took("word", "not"):
            return self._negated(depth, self._range(field) or self._refuse("'in' or 'between'"))
        return self._range(field) or Holds(field)

    def _is(self, field: Field, depth: int) -> Condition:
        if self._took("word", "known"):
            return Known(field)
        self._expect("word", "unknown", "'known' or 'unknown'")
        return self._negated(depth, Known(field))

    def _negated(self, depth: int, part: Condition) -> Condition:
        """``x not in [..]`` is ``not x in [..]``, and as deep."""
        if depth >= DEEPEST:
            rule = f"parentheses and 'not' are nested deeper than {DEEPEST} levels: simplify it"
            raise ConditionError(self._text, rule, self._token.position)
        return Not(part)

    def _range(self, field: Field) -> Condition | None:
        if self._took("word", "in"):
            return Among(field, self._list())
        if self._took("word", "between"):
            low = self._value()
            self._expect("word", "and")
            return Between(field, low, self._value())
        return None

    def _list(self) -> tuple[Value, ...]:
        self._expect("symbol", "[")
        values = [self._value()]
        while self._took("symbol", ","):
            values.append(self._value())
        self._expect("symbol", "]", "',' or ']'")
        return tuple(values)

    def _operand(self) -> Value | Field:
        token = self._token
        return self._field() if token.kind == "word" and not _is_constant(token) else self._value()

    def _value(self) -> Value:
        token = self._token
        self._charge()
        if token.kind not in ("number", "text") and not _is_constant(token):
            self._refuse("a number, a text in quotes, true or false")
        self._at += 1
        return CONSTANTS[str(token.value)] if token.kind == "word" else token.value

    def _field(self) -> Field:
        root = self._token
        if root.kind != "word" or root.value in KEYWORDS or _is_constant(root):
            self._refuse("the name of a field, such as profile.orders")
        self._at += 1
        if not self._took("symbol", "."):
            return Field(str(root.value))
        name = self._token
        if name.kind not in ("word", "text"):
            self._refuse("the name of a field, such as profile.orders")
        self._at += 1
        return Field(str(root.value), str(name.value))

    @property
    def _token(self) -> Token:
        return self._tokens[self._at]

    def _took(self, kind: str, value: str) -> bool:
        token = self._token
        if token.kind != kind or token.value != value:
            return False
        self._at += 1
        return True

    def _expect(self, kind: str, value: str, expected: str | None = None) -> None:
        if not self._took(kind, value):
            self._refuse(expected or repr(value))

    def _charge(self) -> None:
        self._cost += 1
        if self._cost > DEAREST:
            rule = f"has more than {DEAREST} comparisons and values: split it over actions"
            raise ConditionError(self._text, rule, self._token.position)

    def _refuse(self, expected: str) -> Never:
        token = self._token
        found = "it ends" if token.kind == "end" else f"there is {_shown(token)}"
        hint = ""
        if token.kind == "word" and str(token.value).lower() in KEYWORDS:
            hint = f"; {suggestion(str(token.value), KEYWORDS)}"
        raise ConditionError(
            self._text, f"{found} where {expected} is expected{hint}", token.position
        )


def _shown(token: Token) -> str:
    return shown(token.value) if isinstance(token.value, str) else written(token.value)


def _is_constant(token: Token) -> bool:
    return token.kind == "word" and token.value in CONSTANTS
