"""The engine: the loop put together, started from its log and stopped without loss."""

import asyncio
from asyncio import Task
from collections.abc import Awaitable, Callable, Coroutine
from time import perf_counter
from typing import Any

import numpy as np
import structlog
from threadpoolctl import threadpool_limits

from api.loop.alerts import Alerts
from api.loop.clock import make_clock
from api.loop.decide import Decider
from api.loop.erase import Eraser, Memory
from api.loop.explain import Explainer
from api.loop.habits import HabitLog
from api.loop.intake import Intake
from api.loop.learn import Learner
from api.loop.lists import ListDecider
from api.loop.members import Members
from api.loop.metrics import Metrics
from api.loop.observe import Observer, TimeBounds, replay
from api.loop.placement import build_placements
from api.loop.records import Records
from api.loop.reward import Rewarder
from api.loop.roster import Roster
from api.loop.rules import tracked_of
from api.loop.segment_views import SegmentViews
from api.loop.shown import ShownLog
from api.loop.snapshot import Snapshots
from api.loop.supply import build_supply
from api.loop.suppression import Suppression
from api.settings import Settings
from api.storage.base import StoreError
from api.storage.sqlite import SQLiteStore
from api.webhooks.endpoint import Endpoint
from api.worker.delivery import Deliverer
from api.worker.promotion import EVERY_SECONDS as PROMOTION_SECONDS
from api.worker.promotion import Gatekeeper
from api.worker.refit import Refitter
from api.worker.retention import EVERY_SECONDS as RETENTION_SECONDS
from api.worker.retention import Retention
from segments.behaviour.session import SessionTracker
from segments.pipeline import Pipeline

log = structlog.get_logger()

CLOSE_EVERY_SECONDS = 1.0
CLOSE_AT_ONCE = 500
FLUSH_EVERY_SECONDS = 1.0


class Engine:
    """Everything behind the routes.

    Args:
        settings: The checked configuration.

    Raises:
        StoreError: When the store cannot be opened.
        PolicyError: When placements contradict themselves.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = make_clock(settings.service.clock)
        self.placements = build_placements(settings)
        asked = any(placement.asks_behaviour for placement in self.placements.values())
        self.pipeline = Pipeline(habits=SessionTracker() if asked else None)
        self.learner: Learner | None = None
        self.metrics = Metrics()
        self.store = SQLiteStore(
            settings.service.database,
            settings.service.durability,
            settings.service.deadline_ms / 1000,
        )
        rewards = {name: placement.reward for name, placement in self.placements.items()}
        self.habits = HabitLog(self.pipeline.habits, self.pipeline, self.store)
        self.supply = build_supply(settings, self.store)
        bounds = TimeBounds.of(settings.events, self.clock)
        self.observer = Observer(
            self.pipeline,
            self.store,
            self.clock,
            rewards,
            bounds,
            self.notify_rewards,
            self.supply,
        )
        self.suppression = Suppression()
        self.intake = Intake(self.observer, self.store, self.clock, self.metrics, self.suppression)
        self.shown = ShownLog(tracked_of(settings), self.pipeline, self.store, self.supply)
        self.decider = Decider(
            self.placements, self.pipeline, self.shown, self.clock, self.supply, self.metrics
        )
        self.lists = ListDecider(self.decider, self.shown)
        self.rewarder = Rewarder(self.pipeline, self.store, self.clock, rewards)
        self.snapshots = Snapshots(self.store, self.placements, self.pipeline, self.clock)
        self.saving, changing = asyncio.Lock(), asyncio.Lock()
        self.roster = Roster(
            settings, self.placements, self.store, self.clock, self._running_learner, changing
        )
        self.members = Members(
            settings.segments, self.pipeline, self.store, self.clock, self.metrics
        )
        memory = Memory(
            self.placements,
            self.pipeline,
            self.shown,
            self.suppression,
            self.saving,
            changing,
            self.members,
            self._running_learner,
            self.roster.fresh,
            self.roster.set_aside,
        )
        self.eraser = Eraser(memory, self.store, self.clock)
        self.retention = Retention(
            settings.retention,
            self.store,
            self.clock,
            self.save,
            self.placements,
            self.pipeline,
            self.shown,
        )
        self.gatekeeper = Gatekeeper(
            settings.placements, self.placements, self.store, self.roster, self.clock
        )
        self.retention.judged_through = lambda: self.gatekeeper.read_through
        self.alerts = Alerts(self.store, self.clock)
        self.deliverer = Deliverer(
            [Endpoint(one) for one in settings.webhook_endpoints],
            self.store,
            self.clock,
            self.metrics,
            np.random.default_rng(),
        )
        self.refitter = Refitter(
            settings,
            self.pipeline,
            self.snapshots,
            self.clock,
            self.metrics,
            self.members.review,
        )
        self.segment_views = SegmentViews(self.pipeline, self.members, self.store, self.clock)
        self.explainer = Explainer(self.store, self.placements)
        self.records = Records(self.store, self.placements, settings.retention, self.clock)
        self.ready = False
        self._rewards = rewards
        self._tasks: list[Task[None]] = []

    async def start(self) -> None:
        """Come to the state that the log says, then follow it."""
        # Threads that share a product add its terms up in another order, and a replay would differ
        # in the last bit. A decision's products are too small to gain from them anyway.
        threadpool_limits(1)
        for placement in self.placements.values():
            placement.layout = self.store.layout(placement.names)
        self.suppression.load(*self.store.subjects.suppressions())
        self.store.subscribe({one.name: one.types for one in self.settings.webhook_endpoints})
        layouts = self.explainer.layouts = self.store.layouts()
        self.clock.advance(self.store.latest_us())
        self.roster.restore()
        self.snapshots.restore_models()
        self.refitter.restore()
        covered = self.snapshots.restore_profiles()
        self.observer.follow(self.members, self.members.restore())
        followed = self.habits.restore()
        if followed is not None:
            covered = min(covered, followed)
        n_events = replay(self.store, self.observer, covered)
        self.shown.restore()
        self.supply.restore()
        self.members.resume()
        self.store.start(asyncio.get_running_loop())
        self.learner = Learner(self.store, self.placements, layouts, self.metrics.learned)
        n_rewards = await self.learner.drain()
        log.info(
            "started",
            events_replayed=n_events,
            rewards_replayed=n_rewards,
            n_visitors=len(self.pipeline),
        )
        self._tasks = [
            self._task(self.learner.run()),
            self._every(CLOSE_EVERY_SECONDS, self._close_due_windows),
            self._every(FLUSH_EVERY_SECONDS, self.shown.backlog.flush),
            self._every(self.settings.service.snapshot_seconds, self.save),
            self._task(self.refitter.run()),
            self._every(PROMOTION_SECONDS, self.gatekeeper.run_once),
            self._task(self.members.run()),
            self._every(RETENTION_SECONDS, self.retention.run_once),
            *(self._task(self.deliverer.run(one)) for one in self.deliverer.endpoints),
        ]
        self.ready = True

    async def stop(self) -> None:
        """Save and let go; what was acknowledged is in the log already."""
        self.ready = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            if self.learner is not None:
                await self.shown.backlog.flush()
                await self.save()
                await self.members.flush()
        except StoreError as error:  # the log has it all; the next start takes longer
            log.error("snapshots_not_saved", error=str(error))
        finally:
            await self.store.close()
        log.info("stopped")

    async def save(self) -> None:
        """Save what is folded from the log, so that the next start is short."""
        started = perf_counter()
        async with self.saving:
            await self.snapshots.save()
            await self.habits.save()
            await self.shown.save()
            await self.supply.save()
        self.metrics.stages.note("snapshot", perf_counter() - started)

    def _running_learner(self) -> Learner:
        if self.learner is None:
            raise StoreError("the engine is not started")
        return self.learner

    @property
    def read_through(self) -> int:
        """Place in the log of the last reward that the learner has read."""
        return self.learner.read_through if self.learner is not None else 0

    def notify_rewards(self) -> None:
        """Rewards came into the log."""
        if self.learner is not None:
            self.learner.notify()

    async def _close_due_windows(self) -> None:
        now_us, looked_at = self.clock.now_us(), CLOSE_AT_ONCE
        while looked_at == CLOSE_AT_ONCE:
            looked_at = await self.store.close_windows(now_us, self._rewards, CLOSE_AT_ONCE)
        self.notify_rewards()  # also for a reward whose sender went away before it was answered

    def _every(self, seconds: float, work: Callable[[], Awaitable[object]]) -> Task[None]:
        async def repeat() -> None:
            while True:
                await asyncio.sleep(seconds)
                try:
                    await work()
                except Exception as error:
                    name, failed = "background_work_failed", work.__qualname__
                    log.exception(name, work=failed)
                    await self.alerts.raise_alert(name, failed, type(error).__name__)

        return self._task(repeat())

    def _task(self, work: Coroutine[Any, Any, None]) -> Task[None]:
        return asyncio.get_running_loop().create_task(work)
