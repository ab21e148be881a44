"""What a conversion is worth, written as arithmetic: ``revenue - cost - 0.5 * discount``.

    expression = product { ("+" | "-") product }
    product    = factor { "*" factor }
    factor     = "-" factor | number | name | "(" expression ")"
               | ("min" | "max") "(" expression { "," expression } ")"

Parsed by recursive descent into closures when the configuration is read; never evaluated by Python
itself. There is no division and a product saturates, so the value of any conversion is finite.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Never

from policy.errors import RewardSpecError, shown, suggestion

if TYPE_CHECKING:
    from collections.abc import Callable

    from policy.reward.conversion import Conversion

    Value = Callable[[Conversion], float]

NAMES = ("cost", "discount", "hit", "quantity", "revenue", "shipping", "tax")
"""Properties of a ``Conversion``, in currency units; ``quantity`` in pieces, ``hit`` is 1."""

FUNCTIONS = {"max": max, "min": min}
LONGEST = 500
"""Characters of an expression."""
DEEPEST = 20
"""Levels of parentheses and signs."""
LARGEST_NUMBER = 1e9
SATURATION = 1e15

_NUMBER = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_TOKEN = re.compile(rf"\s*({_NUMBER.pattern}|[A-Za-z_]\w*|\S)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression.

    Args:
        text: At most ``LONGEST`` characters.

    Raises:
        RewardSpecError: Naming the text, the place and what would be accepted.

    Example:
        >>> from policy.reward.conversion import Conversion
        >>> margin = Expression("max(0, revenue - 2 * shipping)")
        >>> margin.of(Conversion("Order Completed", 2_500, shipping_cents=495))
        15.1
    """

    text: str
    of: Value = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.text, str) or len(self.text) > LONGEST:
            rule = f"must be a text of at most {LONGEST} characters"
            raise RewardSpecError("value", self.text, rule)
        object.__setattr__(self, "of", _Parser(self.text).parse())


class _Parser:
    """One pass over the tokens of a text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = [(match[1], match.start(1)) for match in _TOKEN.finditer(text)]
        self._at = 0
        self._depth = 0

    def parse(self) -> Value:
        value = self._expression()
        if self._at < len(self._tokens):
            self._refuse("an operator or the end")
        return value

    def _expression(self) -> Value:
        value = self._product()
        while self._token in ("+", "-"):
            combine = _sum if self._take() == "+" else _difference
            value = combine(value, self._product())
        return value

    def _product(self) -> Value:
        value = self._factor()
        while self._took("*"):
            value = _product(value, self._factor())
        return value

    def _factor(self) -> Value:
        self._depth += 1
        if self._depth > DEEPEST:
            self._refuse(f"something simpler: at most {DEEPEST} levels")
        value = self._inner()
        self._depth -= 1
        return value

    def _inner(self) -> Value:
        if self._took("-"):
            return _difference(_constant(0.0), self._factor())
        if self._took("("):
            value = self._expression()
            self._expect(")")
            return value
        token = self._token
        if _NUMBER.fullmatch(token):
            return self._number()
        if token in FUNCTIONS:
            return self._function()
        if token not in NAMES:
            self._refuse("a number or a name", _near(token))
        self._at += 1
        getter: Value = attrgetter(token)
        return getter

    def _number(self) -> Value:
        number = float(self._token)
        if number > LARGEST_NUMBER:
            self._refuse(f"a number of at most {LARGEST_NUMBER:g}")
        self._at += 1
        return _constant(number)

    def _function(self) -> Value:
        function = FUNCTIONS[self._take()]
        self._expect("(")
        values = [self._expression()]
        while self._took(","):
            values.append(self._expression())
        self._expect(")")
        return lambda conversion: function([value(conversion) for value in values])

    @property
    def _token(self) -> str:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1][0]

    def _took(self, token: str) -> bool:
        if self._token != token:
            return False
        self._at += 1
        return True

    def _expect(self, token: str) -> None:
        if not self._took(token):
            self._refuse(f"{token!r}")

    def _refuse(self, expected: str, hint: str = "") -> Never:
        token = self._token
        found = f"there is {shown(token)}" if token else "it ends"
        place = self._tokens[self._at][1] if token else len(self._text)
        rule = f"{found} at character {place + 1} where {expected} is expected{hint}"
        raise RewardSpecError("value", self._text, rule)


def _near(token: str) -> str:
    is_name = token[:1].isalpha() or token[:1] == "_"
    return f"; {suggestion(token, (*NAMES, *FUNCTIONS))}" if is_name else ""


def _constant(number: float) -> Value:
    return lambda _: number


def _sum(one: Value, other: Value) -> Value:
    return lambda conversion: one(conversion) + other(conversion)


def _difference(one: Value, other: Value) -> Value:
    return lambda conversion: one(conversion) - other(conversion)


def _product(one: Value, other: Value) -> Value:
    return lambda conversion: max(-SATURATION, min(one(conversion) * other(conversion), SATURATION))
