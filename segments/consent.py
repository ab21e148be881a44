"""What a visitor agreed to: the latest word on each purpose, whatever order it arrives in.

Part of a profile. A purpose is whatever the sender calls it (a consent category such as
"Advertising", a channel such as "email"); *Unsubscribed* and *Email Marked as Spam* are a no to
``email``. Of two words at the same instant the no counts.

Two arrays side by side: hashes of the purposes, and when the word was given, negative for a no. At
most 32 are kept; beyond, the oldest word is let go.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

from segments.hashing import value_hash

if TYPE_CHECKING:
    from collections.abc import Iterable

    from segments.event import Event

MAX_PURPOSES: Final = 32
REFUSING: Final = frozenset({"Unsubscribed", "Email Marked as Spam"})
EMAIL: Final = "email"


class Consents:
    """One visitor's words.

    Args:
        keys: ``array("Q")`` of hashes of purposes.
        moments: ``array("d")`` of the same length: Unix seconds, negative where it was a no.

    Example:
        >>> consents = Consents(array("Q"), array("d"))
        >>> consents.say("email", True, 10.0)
        >>> consents.say("email", False, 5.0)
        >>> consents.said("email"), consents.said("push")
        (True, None)
    """

    __slots__ = ("keys", "moments")

    def __init__(self, keys: array[int], moments: array[float]) -> None:
        self.keys = keys
        self.moments = moments

    def say(self, purpose: str, granted: bool, seconds: float) -> None:
        """Hears one word; an older one changes nothing."""
        self._hear([(value_hash(purpose), seconds if granted else -seconds)])

    def merge(self, other: Consents) -> None:
        """Takes in the words given under another id of the same person."""
        self._hear(zip(other.keys, other.moments, strict=True))

    def said(self, purpose: str) -> bool | None:
        """The latest word on a purpose; None for none."""
        key = value_hash(purpose)
        if key not in self.keys:
            return None
        return self.moments[self.keys.index(key)] > 0.0

    def _hear(self, words: Iterable[tuple[int, float]]) -> None:
        latest = dict(zip(self.keys, self.moments, strict=True))
        for key, moment in words:
            before = latest.get(key, 0.0)
            if abs(moment) > abs(before) or moment == -abs(before):
                latest[key] = moment
        kept = sorted(latest.items(), key=lambda word: (-abs(word[1]), word[0]))[:MAX_PURPOSES]
        self.keys = array("Q", [key for key, _ in kept])
        self.moments = array("d", [moment for _, moment in kept])


def words_of(event: Event) -> tuple[tuple[str, bool], ...]:
    """What an event says of consent: purpose, and whether it is granted.

    Example:
        >>> from datetime import UTC, datetime
        >>> from segments.event import Event
        >>> words_of(Event("m", "Unsubscribed", "v", datetime(2026, 3, 1, tzinfo=UTC)))
        (('email', False),)
    """
    if event.name in REFUSING:
        return (*event.consent, (EMAIL, False))
    return event.consent
