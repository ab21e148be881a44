"""Lets old rows of the log go, after snapshots cover them and a few at a time."""

from collections.abc import Awaitable, Callable

import structlog

from api.loop.clock import Clock
from api.loop.placement import Placement
from api.loop.shown import ShownLog
from api.retention_settings import RetentionSettings
from api.storage.base import Store
from api.storage.retention import EVERYTHING, Covered
from segments.pipeline import Pipeline

log = structlog.get_logger()

EVERY_SECONDS = 600.0
AT_ONCE = 200
DAY_US = 86_400_000_000


class Retention:
    """Keeps to `[retention]`.

    Args:
        settings: How long.
        store: The log.
        clock: Says what is old.
        save: Saves all snapshots.
        placements: Whose models have to cover rewards.
        pipeline: Whose profiles have to cover events.
        shown: Whose exposures have to cover decisions.

    Attributes:
        judged_through: Up to where trials have read decisions; None where there is no trial.
    """

    def __init__(
        self,
        settings: RetentionSettings,
        store: Store,
        clock: Clock,
        save: Callable[[], Awaitable[None]],
        placements: dict[str, Placement],
        pipeline: Pipeline,
        shown: ShownLog,
    ) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._save = save
        self._placements = placements
        self._pipeline = pipeline
        self._shown = shown
        self.judged_through: Callable[[], int | None] = lambda: None

    async def run_once(self) -> dict[str, int]:
        """Let go what is old now; how many rows, by table."""
        covered = self._about_to_be_covered()
        if not self._settings.keeps_all:
            await self._save()
        days = {
            "answers": self._settings.idempotency_days,
            "outbox": self._settings.outbox_days,
            "events": self._settings.events_days,
            "decisions": self._settings.decisions_days,
            "dead_letters": self._settings.dead_letters_days,
            "transitions": self._settings.transitions_days,
        }
        now_us = self._clock.now_us()
        gone = {
            table: await self._expire(table, now_us - kept * DAY_US, covered)
            for table, kept in days.items()
            if kept is not None
        }
        if any(gone.values()):
            log.info("rows_expired", **gone)
        return gone

    def _about_to_be_covered(self) -> Covered:
        places = (self._shown.read_through, self.judged_through())
        through = min((place for place in places if place is not None), default=EVERYTHING)
        return Covered(
            self._pipeline.population_seq,
            through,
            {
                name: min(model.learned_through for model in placement.lineup.learning)
                for name, placement in self._placements.items()
            },
        )

    async def _expire(self, table: str, before_us: int, covered: Covered) -> int:
        n_rows, after = 0, (0, 0)
        while True:
            step = await self._store.expire(table, before_us, covered, after, AT_ONCE)
            n_rows += step.n_rows
            if step.after is None:
                return n_rows
            after = step.after
