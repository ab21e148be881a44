"""Suppression: what is known of an erased visitor's past does not come back.

In front of the log. Trackers and webhooks send again for days; an event that happened before its
visitor was erased is refused, and nothing of it is kept. What happens afterwards is new: the
visitor starts from nothing, as anybody does.
"""

from api.loop.clock import to_us
from api.storage.erasure import hash_of
from segments.event import Event, EventError


class ErasedError(EventError):
    """An event from before its visitor's erasure."""

    def __init__(self, event: Event) -> None:
        rule = "is from before the erasure of its visitor, and is not kept"
        super().__init__("timestamp", event.timestamp.isoformat(), rule)


class Suppression:
    """The erased ids, as keyed hashes.

    Args:
        key: Of the hashes.
        erased_us: When each was erased, in microseconds since 1970.
    """

    def __init__(self, key: bytes = b"", erased_us: dict[bytes, int] | None = None) -> None:
        self._key = key
        self._erased_us = erased_us or {}

    def load(self, key: bytes, erased_us: dict[bytes, int]) -> None:
        """Take over what the store knows."""
        self._key, self._erased_us = key, erased_us

    def add(self, ids: set[str], now_us: int) -> None:
        """Refuse what these ids did up to now."""
        self._erased_us.update({hash_of(self._key, name): now_us for name in ids})

    def check(self, event: Event) -> None:
        """Let an event pass.

        Raises:
            ErasedError: One of its ids was erased since it happened.
        """
        if not self._erased_us:
            return
        at_us = to_us(event.timestamp)
        for name in {event.visitor, event.user_id, event.anonymous_id, event.previous_id}:
            if name is not None and self._erased_us.get(hash_of(self._key, name), -1) >= at_us:
                raise ErasedError(event)
