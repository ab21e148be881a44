"""Refits of the segmentation, in a process of their own so that decisions go on.

Each is written down with what came of it. One that would call more visitors otherwise than
`segments.max_churn` allows, for the same behaviour, is refused: the segmentation in use stays.
"""

import asyncio
import sys
from collections.abc import Callable

import structlog

from api.loop.clock import Clock
from api.loop.crowd import crowd_vectors
from api.loop.metrics import Metrics
from api.loop.snapshot import Snapshots
from api.settings import Settings
from api.storage.base import RefitRow
from api.worker.fit import Task, pack_task, unpack_result
from api.worker.recipe import Recipe, is_another, wanted
from api.worker.verdict import Request, judged
from segments.cluster.segmentation import Segmentation
from segments.pipeline import Pipeline

log = structlog.get_logger()

CHECK_EVERY_SECONDS = 5.0
HOUR_US = 3_600_000_000
FIT_SECONDS = 1800.0
MOST_REASON = 300
"""Characters of a reason that are kept."""


class RefitError(RuntimeError):
    """A fit that came to nothing; the segmentation in use stays."""


class Refitter:
    """Fits the segmentation when there are enough visitors, and again when it is due or asked.

    Args:
        settings: All of the configuration.
        pipeline: Whose visitors are grouped.
        snapshots: Keeps each segmentation before it is used.
        clock: Says when a refit is due.
        metrics: Counts what came of refits.
        on_adopted: Called when other segments are in use than before.

    Attributes:
        fitting: Whether a fit is under way or asked for.
        problem: Why the last refit was not adopted, or None.
        last: What came of the last refit; None before the first.
        recipe: How the segmentation in use was fitted; None before the first.
    """

    def __init__(
        self,
        settings: Settings,
        pipeline: Pipeline,
        snapshots: Snapshots,
        clock: Clock,
        metrics: Metrics,
        on_adopted: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings.segments
        self._database = str(settings.service.database.resolve())
        self._pipeline = pipeline
        self._snapshots = snapshots
        self._clock = clock
        self._metrics = metrics
        self._on_adopted = on_adopted
        self._wanted = asyncio.Event()
        self._request = Request()
        self.fitting = False
        self.problem: str | None = None
        self.last: RefitRow | None = None
        self.recipe: Recipe | None = None
        self._tried_at_us = 0

    def restore(self) -> None:
        """Load the segmentation in use, and what came of the last refit."""
        self._tried_at_us = self._snapshots.restore_segmentation()
        self.last = self._snapshots.last_refit(adopted=False)
        if self.last is not None:
            self._tried_at_us = max(self._tried_at_us, self.last.at_us)
            self.problem = None if self.last.outcome == "adopted" else self.last.reason
        live = self._pipeline.segmentation
        if live is None:  # also one that cannot be read any more: fit another soon
            self._tried_at_us = 0
        else:
            self.recipe = Recipe.of_live(live, self._snapshots.last_refit(adopted=True))

    def request(self, asked: Request | None = None) -> None:
        """Ask for a refit now."""
        self._request = asked or Request()
        self.fitting = True
        self._wanted.set()

    async def run(self) -> None:
        """Refit until cancelled."""
        while True:
            try:
                async with asyncio.timeout(CHECK_EVERY_SECONDS):
                    await self._wanted.wait()
            except TimeoutError:
                pass
            if self._wanted.is_set() or self._due():
                self._wanted.clear()
                request, self._request = self._request, Request()
                await self._refit(request)

    def _due(self) -> bool:
        if self._clock.trusts_requests:
            return False  # a replay says itself when to refit
        age_us = self._clock.now_us() - self._tried_at_us
        waited = age_us > self._settings.refit_hours * HOUR_US
        return waited and len(self._pipeline) >= self._settings.min_visitors

    async def _refit(self, request: Request) -> None:
        self.fitting = True
        now_us = self._clock.now_us()
        recipe = wanted(self._settings, self.recipe)
        row = RefitRow(now_us, recipe.family, recipe.n_segments, "failed", None, 0, None, None)
        try:
            fitted, n_visitors = await self._fit(recipe)
            row = judged(
                row._replace(n_visitors=n_visitors),
                fitted,
                request,
                max_churn=self._settings.max_churn,
                another=self._is_another(recipe),
            )
            adopted = fitted if row.outcome == "adopted" else None
            await self._snapshots.save_refit(row, adopted)
            if adopted is not None:
                self._pipeline.segmentation = adopted
                self.recipe = recipe
                self._on_adopted()
        except Exception as error:
            log.exception("segments_not_fitted")
            row = row._replace(outcome="failed", reason=_said(error))
            await self._note_failure(row)
        finally:
            self._tried_at_us = self._clock.now_us()
            self.fitting = self._wanted.is_set()
        self._tell(row)

    async def _note_failure(self, row: RefitRow) -> None:
        try:
            await self._snapshots.save_refit(row, None)
        except Exception:  # the store may be what failed
            log.exception("refit_not_noted")

    def _tell(self, row: RefitRow) -> None:
        self.last = row
        self.problem = None if row.outcome == "adopted" else row.reason
        self._metrics.refitted(row.outcome, row.churn)
        log.info(
            "segments_refitted",
            outcome=row.outcome,
            family=row.family,
            version=row.version,
            n_visitors=row.n_visitors,
            churn=row.churn,
            reason=row.reason,
        )

    def _is_another(self, recipe: Recipe) -> bool:
        live = self._pipeline.segmentation
        return (
            live is not None and self.recipe is not None and is_another(recipe, self.recipe, live)
        )

    async def _fit(self, recipe: Recipe) -> tuple[Segmentation, int]:
        most = self._settings.max_fit_visitors
        vectors = await crowd_vectors(self._pipeline, self._clock.now(), most)
        previous = self._pipeline.segmentation
        kept = None if previous is None or self._is_another(recipe) else previous.assigner.n_labels
        task = Task(
            recipe.family,
            recipe.n_segments if kept is None else kept,
            None if kept is None else self._settings.max_churn,
            self._settings.seed,
            self._database,
            self._clock.now_us(),
            self._settings.outcome_days,
        )
        packed = await asyncio.to_thread(pack_task, task, vectors, previous)
        return unpack_result(await _in_a_process(packed)), len(vectors)


def _said(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:MOST_REASON]


async def _in_a_process(packed: bytes) -> bytes:
    """The result of a task.

    Raises:
        RefitError: The process ended otherwise than well; its last words.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "api.worker.fit"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(FIT_SECONDS):
            result, complaint = await process.communicate(packed)
    except (asyncio.CancelledError, TimeoutError):
        process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        lines = complaint.decode(errors="replace").strip().splitlines()
        raise RefitError(lines[-1] if lines else f"the fit ended with {process.returncode}")
    return result
