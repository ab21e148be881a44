"""Habits: visitors' sessions against their own past, saved like every other fold over the log.

Followed only where a placement's policy or rules look at them. `segments.behaviour.session` says
what is kept; its place in the log is its own, so a crash between two saves loses nothing.
"""

import structlog

from api.storage.base import Store
from segments.behaviour.session import SessionTracker
from segments.errors import ProfileError
from segments.pipeline import Pipeline

log = structlog.get_logger()

AT_ONCE = 200
HABITS = "habits"
"""Under which name the crowd's part is kept."""


class HabitLog:
    """Saves and restores habits.

    Args:
        tracker: Follows them; None where nobody asks.
        pipeline: Knows which ids are one visitor.
        store: Where they are kept.
    """

    def __init__(self, tracker: SessionTracker | None, pipeline: Pipeline, store: Store) -> None:
        self._tracker = tracker
        self._pipeline = pipeline
        self._store = store
        self._saved_through = -1

    def restore(self) -> int | None:
        """Load what was saved; what is damaged, or of another version, is made from the log again.

        Returns:
            The place in the log after which events are to be folded; None where nobody asks.
        """
        tracker = self._tracker
        if tracker is None:
            return None
        try:
            crowd = self._store.load_state(HABITS)
            if crowd is None:  # rows of a first save that did not come to its end
                return tracker.seq
            tracker.load_crowd(crowd)
            for visitor, data in self._store.load_habits():
                tracker.load_past(visitor, data)
        except ProfileError as error:
            log.warning("habits_refolded", reason=str(error))
            tracker.clear()
        for visitor in tracker.visitors():
            current = self._pipeline.resolve(visitor)
            if current != visitor:  # merged just before a crash
                tracker.merge(visitor, current)
        self._saved_through = tracker.seq
        return tracker.seq

    async def save(self) -> None:
        """Save what changed since the last time, in small chunks, so that decisions go on."""
        tracker = self._tracker
        if tracker is None or tracker.seq == self._saved_through:
            return
        more = True
        while more:
            changes = tracker.take_changes(AT_ONCE)
            more = tracker.has_changes
            # Taken at the instant at which nothing is left to save: it covers what was saved.
            through, crowd = tracker.seq, None if more else tracker.crowd_state()
            try:
                await self._store.save_habits(changes)
            except BaseException:  # cancelled as well: whether it is saved is not known then
                tracker.put_back(changes)
                raise
            if crowd is not None:
                await self._store.save_state(HABITS, crowd)
                self._saved_through = through
