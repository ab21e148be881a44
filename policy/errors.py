"""The errors of the policy room.

They are all ``ValueError`` at heart: something was handed in that the room refuses, and nothing
changed because of it.

    PolicyError
    ├── ParameterError    a policy cannot be built like that
    ├── DecisionError     a context or candidates that nothing can be decided on
    ├── BatchError        rows that cannot be learned
    ├── StateError        a saved state of another kind, schema or size
    ├── UnsupportedError  something that this kind of policy cannot do
    ├── CatalogError      an action that cannot be offered
    │   └── ConditionError    a condition that does not parse, or asks what cannot be answered
    ├── BookingError      money or stock that cannot be booked like that
    ├── RewardSpecError   a reward definition that contradicts itself
    ├── ContextError      a request's context that does not fit its declared fields
    ├── EvaluationError   a question that off-policy evaluation cannot be asked like that
    │   └── LogError          logged decisions that nothing can be estimated from
    └── ModelFileError    bytes that are not a model file of ours
"""

from __future__ import annotations

from difflib import get_close_matches
from reprlib import Repr
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SHOWN_CHARACTERS = 80

_SHORT = Repr()
_SHORT.maxother = SHOWN_CHARACTERS


class PolicyError(ValueError):
    """Base of everything that the policy room refuses."""


class ParameterError(PolicyError):
    """A policy cannot be built with this parameter."""


class DecisionError(PolicyError):
    """A context or candidates that nothing can be decided on."""


class BatchError(PolicyError):
    """Rows that cannot be learned; the policy is unchanged."""


class StateError(PolicyError):
    """A saved state of another kind, schema or size; the policy is unchanged."""


class UnsupportedError(PolicyError):
    """Something that this kind of policy cannot do; the message names the way round."""


class CatalogError(PolicyError):
    """An action that cannot be offered."""


class ConditionError(CatalogError):
    """A condition that does not parse, or that asks what cannot be answered.

    Args:
        text: The condition, or the part of it that is at fault; shown shortened.
        rule: What would have been accepted.
        position: Where in the text it went wrong, from 0; None for the text as a whole.

    Example:
        >>> str(ConditionError("segment =", "must be ==, written twice", 8))
        "condition 'segment =' at character 9: must be ==, written twice"
    """

    def __init__(self, text: str, rule: str, position: int | None = None) -> None:
        where = "" if position is None else f" at character {position + 1}"
        super().__init__(f"condition {shown(text)}{where}: {rule}")
        self.text = text
        self.rule = rule
        self.position = position


class BookingError(PolicyError):
    """Money or stock that cannot be booked like that; the books are unchanged."""


class RewardSpecError(PolicyError):
    """A reward definition that contradicts itself.

    Args:
        field: Name of the field.
        value: What was given; shown shortened.
        rule: What would have been accepted.

    Example:
        >>> str(RewardSpecError("window_minutes", 0, "must be at least 1"))
        'window_minutes is 0: must be at least 1'
    """

    def __init__(self, field: str, value: object, rule: str) -> None:
        super().__init__(f"{field} is {shown(value)}: {rule}")
        self.field = field
        self.value = value
        self.rule = rule


class EvaluationError(PolicyError):
    """A question that off-policy evaluation cannot be asked like that."""


class LogError(EvaluationError):
    """Logged decisions that nothing can be estimated from; the message names row and remedy."""


class ContextError(PolicyError):
    """A request's context that does not fit the declared fields.

    Args:
        field: Name of the field.
        value: What was given; shown shortened.
        rule: What would have been accepted.

    Example:
        >>> str(ContextError("cart_items", "many", "must be a number"))
        "context field 'cart_items' is 'many': must be a number"
    """

    def __init__(self, field: str, value: object, rule: str) -> None:
        super().__init__(f"context field {shown(field)} is {shown(value)}: {rule}")
        self.field = field
        self.value = value
        self.rule = rule


class ModelFileError(PolicyError):
    """Bytes that are not a model file of ours."""


def shown(value: object) -> str:
    """A value as an error message shows it: its ``repr``, shortened.

    Example:
        >>> shown("home")
        "'home'"
        >>> len(shown("x" * 1_000_000))
        82
    """
    if isinstance(value, str) and len(value) > SHOWN_CHARACTERS:
        return repr(value[: SHOWN_CHARACTERS - 1] + "…")
    try:
        text = _SHORT.repr(value)
    except ValueError:
        # Python refuses to print integers of thousands of digits.
        text = f"<{type(value).__name__}>"
    return text if len(text) <= SHOWN_CHARACTERS + 2 else text[: SHOWN_CHARACTERS + 1] + "…"


def suggestion(name: str, known: Iterable[str]) -> str:
    """The closing words of an "unknown name" message: the nearest known name, and all of them.

    Example:
        >>> suggestion("linucv", ["lints", "linucb"])
        "did you mean 'linucb'? Known: lints, linucb"
    """
    names = sorted(known)
    listed = ", ".join(names) if names else "none"
    if len(listed) > 5 * SHOWN_CHARACTERS:
        listed = listed[: 5 * SHOWN_CHARACTERS] + "…"
    folded = {known_name.casefold(): known_name for known_name in names}
    nearest = get_close_matches(name[:SHOWN_CHARACTERS].casefold(), folded, n=1, cutoff=0.5)
    if not nearest:
        return f"known: {listed}"
    return f"did you mean {folded[nearest[0]]!r}? Known: {listed}"
