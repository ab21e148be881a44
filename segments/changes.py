"""What changed since it was last saved, handed out in chunks that are safe to save one by one.

The order is what makes a crash between two chunks harmless: ids that were merged away, and the
links that replace them, are handed out only once every changed profile has been. So a stored link
implies that the profile behind it was stored with the merge in it; and since links leave all at
once, that every earlier link was stored too.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from segments.errors import SegmentsError

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Changes:
    """One chunk of changes, to be saved in one transaction.

    Args:
        profiles: visitor, sequence number covered, and the encoded profile, or None to delete it.
        aliases: alias, the id that took its place, and the sequence number of the event that said
            so; replaces an older link of the same alias.
        more: whether to ask again.
    """

    profiles: list[tuple[str, int, bytes | None]]
    aliases: list[tuple[str, str, int]]
    more: bool


class ChangeLog:
    """Remembers which visitors and links changed.

    Example:
        >>> log = ChangeLog()
        >>> log.changed("ann")
        >>> log.take(10, lambda visitor: (7, b"...")).profiles
        [('ann', 7, b'...')]
    """

    __slots__ = ("_aliases", "_changed", "_removed")

    def __init__(self) -> None:
        self._changed: dict[str, None] = {}  # a dict keeps order: the oldest change leaves first
        self._removed: dict[str, int] = {}
        self._aliases: dict[str, tuple[str, int]] = {}

    def changed(self, visitor: str) -> None:
        """The visitor's profile is new or other than saved."""
        self._changed[visitor] = None

    def removed(self, visitor: str, seq: int) -> None:
        """The visitor's profile went into another one by the event `seq`."""
        self._changed.pop(visitor, None)
        self._removed[visitor] = seq

    def linked(self, alias: str, visitor: str, seq: int) -> None:
        """The alias now stands for the visitor, by the event `seq`."""
        self._aliases[alias] = visitor, seq

    def forget(self, visitor: str) -> None:
        """Nothing of this id is to be saved any more."""
        self._changed.pop(visitor, None)
        self._removed.pop(visitor, None)
        self._aliases.pop(visitor, None)

    def take(self, limit: int, saved_form: Callable[[str], tuple[int, bytes]]) -> Changes:
        """At most `limit` changes, which count as saved from now on.

        Args:
            limit: at least 1; bounds profiles and deletions together.
            saved_form: sequence number and bytes of a visitor's profile.

        Raises:
            SegmentsError: if `limit` is less than 1.
        """
        if limit < 1:
            raise SegmentsError(f"limit must be at least 1 to get anywhere, got {limit}")
        profiles: list[tuple[str, int, bytes | None]] = []
        for visitor in list(islice(self._changed, limit)):
            del self._changed[visitor]
            profiles.append((visitor, *saved_form(visitor)))
        aliases: list[tuple[str, str, int]] = []
        if not self._changed:
            leaving = list(islice(self._removed, limit - len(profiles)))
            profiles += [(visitor, self._removed.pop(visitor), None) for visitor in leaving]
            aliases = [(alias, *link) for alias, link in self._aliases.items()]
            self._aliases.clear()
        return Changes(profiles, aliases, bool(self._changed or self._removed))

    def put_back(self, changes: Changes) -> None:
        """Takes a chunk back that could not be saved; what changed meanwhile stays as it is."""
        for visitor, seq, data in changes.profiles:
            if data is None:
                self._removed.setdefault(visitor, seq)
            elif visitor not in self._removed:
                self._changed[visitor] = None
        for alias, visitor, seq in changes.aliases:
            self._aliases.setdefault(alias, (visitor, seq))
