"""What every visitor was shown: the state that caps, cooldowns and price guards look at.

A fold over the log of decisions. An exposure counts from the moment at which it is decided
(``begin``), so that two decisions at once cannot both be the last one allowed; when its row is
durable it becomes part of the fold (``settle``), and when the row was not kept it never was. Where
a placement shall count only what was really shown, call both at the activation instead.

**Identities.** Exposures stay with the id under which they were logged; whoever asks names every id
of the visitor. So a merge needs nothing to be moved, and links that are replayed later or undone
give the same answer as if they had always stood.

**Restart.** Load what was saved (``load``), then fold every decision after ``seq`` again, in order;
what a visitor's bytes cover already is skipped.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from policy.catalog.history import History, concerns, covered_seq, decode, encode, fits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policy.catalog.history import Exposure
    from policy.catalog.limit import Tracked

NOTHING = History()


class Exposures:
    """The histories of all visitors. For one thread.

    Args:
        tracked: What has to be remembered.

    Attributes:
        seq: Place in the log that is covered; 0 before the first decision.

    Example:
        >>> from policy.catalog.history import Exposure
        >>> from policy.catalog.limit import Limit, Tracked
        >>> exposures = Exposures(Tracked({("kind", "offer"): [Limit(1, 7)]}, {}))
        >>> shown = Exposure("home", "tea", "offer", None, None, None, at_us=5)
        >>> exposures.begin("ann", shown)
        >>> exposures.of(["ann"]).verdicts(exposures.tracked, now_us=6)
        {0: 'capped'}
        >>> exposures.settle("ann", shown, seq=None)
        >>> exposures.of(["ann"]).verdicts(exposures.tracked, now_us=6)
        {}
    """

    def __init__(self, tracked: Tracked) -> None:
        self.tracked = tracked
        self.seq = 0
        self._histories: dict[str, bytes] = {}
        self._pending: dict[str, list[Exposure]] = {}
        self._changed: dict[str, None] = {}  # a dict keeps order: the oldest change leaves first

    def __len__(self) -> int:
        return len(self._histories)

    def of(self, ids: Iterable[str]) -> History:
        """The exposures under all ids of one visitor, those on their way into the log included."""
        merged = None
        for visitor in ids:
            data, pending = self._histories.get(visitor), self._pending.get(visitor)
            if data is None and pending is None:
                continue
            history = History() if data is None else decode(data)
            for exposure in pending or ():
                history.add(exposure, self.tracked)
            if merged is None:
                merged = history
            else:
                merged.absorb(history)
        return NOTHING if merged is None else merged

    def concern(self, exposure: Exposure) -> bool:
        """Whether any rule asks for it; else it need not be begun."""
        return concerns(exposure, self.tracked)

    def begin(self, visitor: str, exposure: Exposure) -> None:
        """Count an exposure that is on its way into the log; ``settle`` has to follow."""
        self._pending.setdefault(visitor, []).append(exposure)

    def settle(self, visitor: str, exposure: Exposure, seq: int | None) -> None:
        """What became of a begun exposure: its place in the log, or None where it was not kept."""
        pending = self._pending[visitor]
        pending.remove(exposure)
        if not pending:
            del self._pending[visitor]
        if seq is not None:
            self.fold(visitor, exposure, seq)

    def fold(self, visitor: str, exposure: Exposure, seq: int) -> None:
        """Count a logged exposure, once.

        Args:
            visitor: The id that was logged.
            exposure: What was shown.
            seq: Its place in the log, ascending; a history that covers it skips it.
        """
        self.seq = max(self.seq, seq)
        data = self._histories.get(visitor)
        if (data is not None and covered_seq(data) >= seq) or not self.concern(exposure):
            return
        history = History() if data is None else decode(data)
        history.add(exposure, self.tracked)
        history.seq = seq
        self._histories[visitor] = encode(history, self.tracked.fingerprint)
        self._changed[visitor] = None

    def load(self, visitor: str, data: bytes) -> bool:
        """Take back a saved history; False where it is damaged or was made for other rules."""
        if not fits(data, self.tracked.fingerprint):
            return False
        self._histories[visitor] = bytes(data)
        return True

    def forget(self, visitor: str) -> None:
        """Drop what was logged under an id; what is on its way into the log counts anew."""
        self._histories.pop(visitor, None)
        self._changed.pop(visitor, None)

    def take_changes(self, limit: int) -> list[tuple[str, bytes]]:
        """At most so many changed histories to save, which count as saved from now on."""
        taken = list(islice(self._changed, limit))
        for visitor in taken:
            del self._changed[visitor]
        return [(visitor, self._histories[visitor]) for visitor in taken]

    @property
    def has_changes(self) -> bool:
        """Whether ``take_changes`` would give more."""
        return bool(self._changed)

    def put_back(self, changes: Iterable[tuple[str, bytes]]) -> None:
        """Mark changes as unsaved again, because saving them failed."""
        self._changed.update(dict.fromkeys(visitor for visitor, _ in changes))

    def clear(self) -> None:
        """Forget everybody, so that the log can be folded again from its first row."""
        self.seq = 0
        self._histories.clear()
        self._changed.clear()
