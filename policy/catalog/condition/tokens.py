"""From a condition's text to its words, one pass from left to right.

In front of ``parser``. No regular expressions: each character is looked at once.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from policy.catalog.condition.tree import WORD_REST, WORD_START
from policy.errors import ConditionError, shown

LARGEST_NUMBER = 1e15

_DIGITS = frozenset("0123456789")
_QUOTES = frozenset("\"'")
_PAIRS = frozenset({"==", "!=", "<=", ">="})
_SINGLES = frozenset("<>()[],.")
_MEANT = {"=": "==", "&": "and", "|": "or", "!": "not", "{": "[", "}": "]"}


class Token(NamedTuple):
    """One word of a condition.

    Args:
        kind: ``end`` comes last, with an empty value.
        value: Of a number a float, else text; that of a text without its quotes.
        position: Of its first character.
    """

    kind: Literal["word", "text", "number", "symbol", "end"]
    value: str | float
    position: int


def tokens_of(text: str) -> list[Token]:
    """The words of a text, the last one of kind ``end``.

    Raises:
        ConditionError: A character that the language does not have, or a broken number or text.

    Example:
        >>> [token.value for token in tokens_of("profile.orders >= 3")]
        ['profile', '.', 'orders', '>=', 3.0, '']
    """
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        if text[at] in " \t\r\n":
            at += 1
            continue
        token, at = _next(text, at)
        tokens.append(token)
    tokens.append(Token("end", "", len(text)))
    return tokens


def _next(text: str, at: int) -> tuple[Token, int]:
    character = text[at]
    if character in WORD_START:
        end = _run(text, at, WORD_REST)
        return Token("word", text[at:end], at), end
    if character in _QUOTES:
        return _text(text, at)
    if character in _DIGITS or (character == "-" and text[at + 1 : at + 2] in _DIGITS):
        return _number(text, at)
    if text[at : at + 2] in _PAIRS:
        return Token("symbol", text[at : at + 2], at), at + 2
    if character in _SINGLES:
        return Token("symbol", character, at), at + 1
    meant = _MEANT.get(character)
    hint = f"; did you mean {meant!r}?" if meant else ""
    raise ConditionError(text, f"{character!r} has no meaning here{hint}", at)


def _run(text: str, at: int, allowed: frozenset[str]) -> int:
    """Where the characters from ``at`` on stop to be allowed ones."""
    while at < len(text) and text[at] in allowed:
        at += 1
    return at


def _number(text: str, start: int) -> tuple[Token, int]:
    """``-12.5e3``: digits, then perhaps a fraction and an exponent."""
    end = _run(text, start + 1, _DIGITS)
    if text[end : end + 1] == "." and text[end + 1 : end + 2] in _DIGITS:
        end = _run(text, end + 1, _DIGITS)
    if text[end : end + 1] in ("e", "E"):
        sign = end + 2 if text[end + 1 : end + 2] in ("+", "-") else end + 1
        end = _run(text, sign, _DIGITS) if text[sign : sign + 1] in _DIGITS else end
    value = float(text[start:end])
    if not math.isfinite(value) or abs(value) > LARGEST_NUMBER:
        rule = f"{shown(text[start:end])} is too large: must be within ±{LARGEST_NUMBER:g}"
        raise ConditionError(text, rule, start)
    if text[end : end + 1] in WORD_REST:
        raise ConditionError(text, "a number must end before a letter: put a space", end)
    return Token("number", value, start), end


def _text(text: str, start: int) -> tuple[Token, int]:
    """What stands between two equal quotes; a backslash makes a quote or backslash part of it."""
    quote, at = text[start], start + 1
    parts: list[str] = []
    while at < len(text):
        character = text[at]
        if character == quote:
            return Token("text", "".join(parts), start), at + 1
        if character == "\\":
            at += 1
            character = text[at : at + 1]
            if character not in ("\\", '"', "'"):
                rule = "a backslash may only stand before a quote or another backslash"
                raise ConditionError(text, rule, at - 1)
        elif character < " " or character == "\x7f" or "\ud800" <= character <= "\udfff":
            raise ConditionError(text, "a text must not hold control characters", at)
        parts.append(character)
        at += 1
    raise ConditionError(text, f"the text that starts with {quote} does not end", start)
