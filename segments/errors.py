"""What can go wrong in this room, as one small tree.

SegmentsError (a ValueError)
├── EventError          an event that breaks a rule: field, value, rule
├── ProfileError        stored bytes that are not a profile of this version
├── IdentityError       a stored alias that would close a circle
└── SegmentationError   data that cannot be clustered, or a file of another kind
"""

from __future__ import annotations

MAX_SHOWN_CHARS = 80


class SegmentsError(ValueError):
    """Anything that this room refuses."""


class EventError(SegmentsError):
    """An event breaks a rule.

    Args:
        field: the field's path, such as `products[3].price_cents`.
        value: what it held; shown cut to 80 characters.
        rule: what it has to be, and the remedy where there is one.

    Example:
        >>> str(EventError("quantity", -1, "must not be negative"))
        'quantity: must not be negative (got -1)'
    """

    def __init__(self, field: str, value: object, rule: str) -> None:
        self.field = field
        self.value = shown(value)
        self.rule = rule
        super().__init__(f"{field}: {rule} (got {self.value})")

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions rebuild themselves from their message by default: this one has three parts.
        return _event_error, (self.field, self.value, self.rule)


def _event_error(field: str, shown_value: str, rule: str) -> EventError:
    error = EventError(field, "", rule)
    error.value = shown_value
    error.args = (f"{field}: {rule} (got {shown_value})",)
    return error


class ProfileError(SegmentsError):
    """Bytes that are not a profile, or one of another version."""


class IdentityError(SegmentsError):
    """An alias that cannot be followed."""


class SegmentationError(SegmentsError):
    """Vectors that cannot be clustered, or a saved segmentation that cannot be read."""


def shown(value: object) -> str:
    """The value as a message may show it: printable, at most 80 characters, never slow."""
    text = ascii(value[: MAX_SHOWN_CHARS + 1]) if isinstance(value, str) else ascii(value)
    return text if len(text) <= MAX_SHOWN_CHARS else text[: MAX_SHOWN_CHARS - 3] + "..."
