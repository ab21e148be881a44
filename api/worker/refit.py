"""Refits of the segmentation, in a process of their own so that decisions go on."""

import asyncio
import sys
from datetime import datetime

import numpy as np
import numpy.typing as npt
import structlog

from api.loop.clock import Clock
from api.loop.snapshot import Snapshots
from api.settings import SegmentSettings
from api.worker.fit import pack_task, unpack_result
from segments.cluster.segmentation import Segmentation
from segments.pipeline import Pipeline

log = structlog.get_logger()

DESCRIBED_AT_ONCE = 50
CHECK_EVERY_SECONDS = 5.0
HOUR_US = 3_600_000_000
FIT_SECONDS = 1800.0


class RefitError(RuntimeError):
    """A fit that came to nothing; the segmentation in use stays."""


class Refitter:
    """Fits the segmentation when there are enough visitors, and again when it is due or asked.

    Args:
        settings: `[segments]`.
        pipeline: Whose visitors are grouped.
        snapshots: Keeps each segmentation before it is used.
        clock: Says when a refit is due.

    Attributes:
        fitting: Whether a fit is under way or asked for.
        problem: Why the last fit came to nothing, or None.
        fitted_at_us: When the segmentation in use was fitted, in microseconds since 1970.
    """

    def __init__(
        self, settings: SegmentSettings, pipeline: Pipeline, snapshots: Snapshots, clock: Clock
    ) -> None:
        self._settings = settings
        self._pipeline = pipeline
        self._snapshots = snapshots
        self._clock = clock
        self._wanted = asyncio.Event()
        self.fitting = False
        self.problem: str | None = None
        self.fitted_at_us = 0

    def request(self) -> None:
        """Ask for a refit now."""
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
                await self._refit()

    def _due(self) -> bool:
        if self._clock.trusts_requests:
            return False  # a replay says itself when to refit
        age_us = self._clock.now_us() - self.fitted_at_us
        waited = age_us > self._settings.refit_hours * HOUR_US
        return waited and len(self._pipeline) >= self._settings.min_visitors

    async def _refit(self) -> None:
        self.fitting = True
        try:
            segmentation = await self._fit()
            await self._snapshots.save_segmentation(segmentation)
            self._pipeline.segmentation = segmentation
            self.problem = None
            log.info("segments_fitted", version=segmentation.version)
        except Exception as error:
            self.problem = str(error)
            log.exception("segments_not_fitted")
        finally:
            self.fitted_at_us = self._clock.now_us()
            self.fitting = self._wanted.is_set()

    async def _fit(self) -> Segmentation:
        vectors = await self._vectors(self._clock.now())
        previous = self._pipeline.segmentation
        task = await asyncio.to_thread(pack_task, vectors, self._settings, previous)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "api.worker.fit"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(FIT_SECONDS):
                result, complaint = await process.communicate(task)
        except (asyncio.CancelledError, TimeoutError):
            process.kill()
            await process.wait()
            raise
        if process.returncode != 0:
            lines = complaint.decode(errors="replace").strip().splitlines()
            raise RefitError(lines[-1] if lines else f"the fit ended with {process.returncode}")
        return unpack_result(result)

    async def _vectors(self, now: datetime) -> npt.NDArray[np.float32]:
        """Features of the visitors, a few at a time so that requests come in between."""
        visitors = list(self._pipeline.visitors())[-self._settings.max_fit_visitors :]
        vectors = np.empty((len(visitors), len(self._pipeline.feature_names)), np.float32)
        for row, visitor in enumerate(visitors):
            vectors[row] = self._pipeline.describe(visitor, now).vector
            if row % DESCRIBED_AT_ONCE == 0:
                await asyncio.sleep(0)
        return vectors
