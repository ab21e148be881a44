"""Which ids are one person: links from anonymous ids, and from ids given up, to the one in use.

Rules. An `Identified` event links its anonymous id to its user id; an `Aliased` event links the
previous id to the new one. Linking merges the two profiles. A device on which a second user signs
in is re-pointed to that user from then on, but the two users are never merged through it: shared
devices are the classic mistake of identity graphs.

Links only ever go from an id to the end of another chain, so chains cannot close to a circle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from segments.errors import IdentityError

if TYPE_CHECKING:
    from segments.event import Event

_LINKING: Final = frozenset({"Identified", "Aliased"})


class Identities:
    """The links, and how to follow them.

    Attributes:
        links: alias to the id that took its place (which may itself have been given up later).
        seq: sequence number of the latest event that linked; -1 before the first.

    Example:
        >>> identities = Identities()
        >>> identities.link("anon-1", "ann", seq=7)
        >>> identities.resolve("anon-1")
        'ann'
    """

    __slots__ = ("_aliases", "links", "seq")

    def __init__(self) -> None:
        self.seq = -1
        self.links: dict[str, str] = {}
        self._aliases: dict[str, dict[str, None]] = {}  # the links backwards, in order

    def resolve(self, visitor: str) -> str:
        """The id in use for this one: itself unless it was linked."""
        links = self.links
        while visitor in links:
            visitor = links[visitor]
        return visitor

    def ids_of(self, visitor: str) -> tuple[str, ...]:
        """Every id that stands for this visitor, the one in use first.

        Example:
            >>> identities = Identities()
            >>> identities.link("anon-1", "ann", seq=7)
            >>> identities.ids_of("anon-1")
            ('ann', 'anon-1')
        """
        ids = [self.resolve(visitor)]
        for known in ids:  # grows while it is walked: aliases of aliases
            ids.extend(self._aliases.get(known, ()))
        return tuple(ids)

    def link(self, alias: str, visitor: str, seq: int) -> None:
        """Points an alias at the end of the visitor's chain.

        Raises:
            IdentityError: if that end is the alias itself.
        """
        self.restore(alias, self.resolve(visitor), seq)

    def unlink(self, alias: str) -> None:
        """Lets an alias stand for itself again; one that has no link stays as it is."""
        before = self.links.pop(alias, None)
        if before is not None:
            self._aliases[before].pop(alias, None)

    def restore(self, alias: str, visitor: str, seq: int) -> None:
        """Points an alias at an id as it is, whatever became of that since.

        Raises:
            IdentityError: if that would close a circle.
        """
        if self.resolve(visitor) == alias:
            raise IdentityError(f"linking {alias!r} to {visitor!r} would close a circle")
        before = self.links.get(alias)
        if before is not None:
            self._aliases[before].pop(alias, None)
        self.links[alias] = visitor
        self._aliases.setdefault(visitor, {})[alias] = None
        self.seq = max(self.seq, seq)


def claimed_alias(event: Event) -> str | None:
    """The id that this event says belongs to its visitor, if it says so."""
    if event.name not in _LINKING:
        return None
    alias = event.previous_id if event.name == "Aliased" else event.anonymous_id
    return alias if alias != event.visitor else None
