"""What everyone buys: the crowd's rates that smooth each visitor's own.

A fold over the same log as the profiles, with its own sequence number and its own memory of
repeats, so that it restarts exactly whatever profiles were saved later than it.
"""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from segments.errors import ProfileError
from segments.features.affinity import INTEREST

if TYPE_CHECKING:
    from segments.features.base import Observation

VERSION: Final = 1
MAX_VALUES: Final = 4_096
"""Categories, and brands, that are counted; at twice as many the rarer half is let go."""
MAX_RECENT: Final = 1_024
ATTRIBUTES: Final = ("category", "brand")


class Population:
    """Faded counts of orders, and of orders with each category and brand, over all visitors.

    Attributes:
        seq: sequence number of the last event that it covers; -1 before the first.
        orders: number of orders, forward-decayed with 90 days half-life.
        counts: by attribute, each value's number of orders that held it. Values that were only
            looked at are there with 0: this is also where hashes find their names again.

    Example:
        >>> Population().rates("category", ["Tea"], 1.0)
        [0.1]
    """

    __slots__ = ("_known_ids", "_recent_ids", "counts", "orders", "seq")

    def __init__(self) -> None:
        self.seq = -1
        self.orders = 0.0
        self.counts: dict[str, dict[str, float]] = {name: {} for name in ATTRIBUTES}
        self._recent_ids: deque[int] = deque()
        self._known_ids: set[int] = set()

    def observe(self, seen: Observation, ids: tuple[int, ...], seq: int) -> None:
        """Counts one event in, unless `seq` is covered.

        Args:
            seen: the event.
            ids: hashes of its message id and order id, for telling repeats.
            seq: its sequence number in the log.
        """
        if seq <= self.seq:
            return
        self.seq = seq
        event = seen.event
        if event.name not in INTEREST or not event.products:
            return
        weight = 0.0
        if event.name == "Order Completed":
            if not self._is_new(ids):
                return
            weight = seen.long
            self.orders += weight
        for attribute in ATTRIBUTES:
            counts = self.counts[attribute]
            for value in dict.fromkeys([getattr(line, attribute) for line in event.products]):
                if value:
                    counts[value] = counts.get(value, 0.0) + weight
            if len(counts) > 2 * MAX_VALUES:
                self.counts[attribute] = _most_frequent(counts)

    def rates(
        self, attribute: str, values: tuple[str, ...] | list[str], shrink: float
    ) -> list[float]:
        """Share of orders that hold each value, never quite 0: (count + 0.1) / (orders + 1).

        Args:
            attribute: "category" or "brand".
            values: of that attribute.
            shrink: what turns kept sums into values at the time of reading (`Moment.long`).
        """
        get = self.counts[attribute].get
        scale = 1.0 / (self.orders * shrink + 1.0)
        return [(get(value, 0.0) * shrink + 0.1) * scale for value in values]

    def state(self) -> bytes:
        """Everything, as JSON (whose floats are exact in Python)."""
        state = {
            "kind": "population",
            "version": VERSION,
            "seq": self.seq,
            "orders": self.orders,
            "counts": self.counts,
            "recent_ids": list(self._recent_ids),
        }
        return json.dumps(state, separators=(",", ":")).encode()

    @classmethod
    def from_state(cls, data: bytes) -> Population:
        """The population of bytes that `state` made.

        Raises:
            ProfileError: if they are damaged or of another version.
        """
        remedy = "rebuild it by replaying the event log"
        try:
            state: dict[str, Any] = json.loads(data)
            found = (state["kind"], state["version"])
            if found != ("population", VERSION):
                raise ProfileError(f"population state {found}, this is version {VERSION}; {remedy}")
            self = cls()
            self.seq = int(state["seq"])
            self.orders = float(state["orders"])
            self.counts = {name: _counts(state["counts"][name]) for name in ATTRIBUTES}
            self._recent_ids = deque(map(int, state["recent_ids"]))
            self._known_ids = set(self._recent_ids)
        except (KeyError, TypeError, AttributeError, json.JSONDecodeError, UnicodeError) as error:
            raise ProfileError(f"damaged population state ({error!r}); {remedy}") from error
        return self

    def _is_new(self, ids: tuple[int, ...]) -> bool:
        if not self._known_ids.isdisjoint(ids):
            return False
        self._recent_ids.extend(ids)
        self._known_ids.update(ids)
        while len(self._recent_ids) > MAX_RECENT:
            self._known_ids.discard(self._recent_ids.popleft())
        return True


def _counts(raw: dict[str, float]) -> dict[str, float]:
    return {str(value): float(count) for value, count in raw.items()}


def _most_frequent(counts: dict[str, float]) -> dict[str, float]:
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return dict(ranked[:MAX_VALUES])
