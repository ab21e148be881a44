"""Whose a row of the log is: the person that an id stood for at that place, and stands for since.

An id need not be one person's for good: a shared device is re-pointed to whoever signs in. Profiles
are folded accordingly, and what a person is told or has erased has to follow the same rule. A fold
over the linking events of the log, beside `identity`, which only knows the links of now.
"""

from __future__ import annotations

from bisect import bisect_right
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from segments.identity import Identities, claimed_alias

if TYPE_CHECKING:
    from segments.event import Event

BEGINNING: Final = -1
"""Before the first row of the log."""


class Ownership:
    """The links of all times.

    Example:
        >>> from datetime import UTC, datetime
        >>> from segments.event import Event
        >>> at = datetime(2026, 3, 1, tzinfo=UTC)
        >>> ownership = Ownership()
        >>> ownership.observe(Event("m1", "Identified", "ann", at, anonymous_id="tablet"), seq=3)
        >>> ownership.observe(Event("m2", "Identified", "bob", at, anonymous_id="tablet"), seq=7)
        >>> [ownership.owner("tablet", seq) for seq in (1, 5, 9)]
        ['ann', 'ann', 'bob']
        >>> ownership.ids_of("bob")
        ('bob', 'tablet')
    """

    def __init__(self) -> None:
        self._identities = Identities()
        self._links: dict[str, list[tuple[int, str]]] = {}
        self._pointing: dict[str, dict[str, None]] = {}  # the links backwards, in order

    def observe(self, event: Event, seq: int) -> None:
        """Folds one event in, in the order of the log; those that link nothing change nothing."""
        alias = claimed_alias(event)
        visitor = self._identities.resolve(event.visitor)
        if alias is None or self._identities.resolve(alias) == visitor:
            return
        self._identities.link(alias, visitor, seq)
        self._links.setdefault(alias, []).append((seq, visitor))
        self._pointing.setdefault(visitor, {})[alias] = None

    def owner(self, visitor: str, seq: int = BEGINNING) -> str:
        """The id in use today of the person that an event's visitor was.

        Args:
            visitor: As the event has it.
            seq: The event's place in the log. What was done under an id before its first link went
                with that link.
        """
        while links := self._links.get(visitor):
            latest = max(bisect_right(links, seq, key=itemgetter(0)) - 1, 0)
            linked_at, visitor = links[latest]
            seq = max(seq, linked_at)
        return visitor

    def resolve(self, visitor: str) -> str:
        """The id in use for this one now."""
        return self._identities.resolve(visitor)

    def ids_of(self, visitor: str) -> tuple[str, ...]:
        """Every id that was this person's at any place of the log.

        Args:
            visitor: An id in use, which comes first.
        """
        found = [visitor]
        for known in found:  # grows while it is walked: aliases of aliases
            for alias in self._pointing.get(known, ()):
                if alias not in found and visitor in self._owners(alias):
                    found.append(alias)
        return tuple(found)

    def shares(self, visitor: str) -> bool:
        """Whether an id was that of several people."""
        return len(self._owners(visitor)) > 1

    def link_of(self, alias: str) -> tuple[str, int] | None:
        """What an id is linked to now, and by which event; None for nothing."""
        links = self._links.get(alias)
        if not links:
            return None
        seq, visitor = links[-1]
        return visitor, seq

    def _owners(self, visitor: str) -> set[str]:
        chain = [visitor]
        places = {BEGINNING}
        for known in chain:  # grows while it is walked: whatever the id led to at any time
            for seq, target in self._links.get(known, ()):
                places.add(seq)
                if target not in chain:
                    chain.append(target)
        return {self.owner(visitor, seq) for seq in places}
