"""Refits of the segmentation, in a process of their own so that decisions go on."""

import asyncio
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime

import numpy as np
import numpy.typing as npt
import structlog

from api.loop.clock import Clock
from api.loop.snapshot import Snapshots
from api.settings import SegmentSettings
from segments.cluster.kmeans import fit_kmeans
from segments.cluster.segmentation import Segmentation
from segments.pipeline import Pipeline

log = structlog.get_logger()

DESCRIBED_AT_ONCE = 50
CHECK_EVERY_SECONDS = 5.0
HOUR_US = 3_600_000_000


class Refitter:
    """Fits the segmentation when there are enough visitors, and again when it is due or asked.

    Args:
        settings: `[segments]`.
        pipeline: Whose visitors are grouped.
        snapshots: Keeps each segmentation before it is used.
        clock: Says when a refit is due.
    """

    def __init__(
        self, settings: SegmentSettings, pipeline: Pipeline, snapshots: Snapshots, clock: Clock
    ) -> None:
        self._settings = settings
        self._pipeline = pipeline
        self._snapshots = snapshots
        self._clock = clock
        self._wanted = asyncio.Event()
        self._fitted_at_us = 0
        self._pool: ProcessPoolExecutor | None = None
        self.fitting = False

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

    async def close(self) -> None:
        """Let go of the process."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _due(self) -> bool:
        if self._clock.trusts_requests:
            return False  # a replay says itself when to refit
        age_us = self._clock.now_us() - self._fitted_at_us
        waited = age_us > self._settings.refit_hours * HOUR_US
        first = self._pipeline.segmentation is None
        return (first or waited) and len(self._pipeline) >= self._settings.min_visitors

    async def _refit(self) -> None:
        self.fitting = True
        try:
            segmentation = await self._fit()
            await self._snapshots.save_segmentation(segmentation)
            self._pipeline.segmentation = segmentation
            log.info("segments_fitted", version=segmentation.version)
        except Exception:
            log.exception("segments_not_fitted")
        finally:
            self._fitted_at_us = self._clock.now_us()
            self.fitting = False

    async def _fit(self) -> Segmentation:
        vectors = await self._vectors(self._clock.now())
        return await asyncio.get_running_loop().run_in_executor(
            self._processes(), _fit, vectors, self._settings, self._pipeline.segmentation
        )

    async def _vectors(self, now: datetime) -> npt.NDArray[np.float32]:
        """Features of the visitors, a few at a time so that requests come in between."""
        visitors = list(self._pipeline.visitors())[-self._settings.max_fit_visitors :]
        vectors = np.empty((len(visitors), len(self._pipeline.feature_names)), np.float32)
        for row, visitor in enumerate(visitors):
            vectors[row] = self._pipeline.describe(visitor, now).vector
            if row % DESCRIBED_AT_ONCE == 0:
                await asyncio.sleep(0)
        return vectors

    def _processes(self) -> ProcessPoolExecutor:
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, mp_context=context)
        return self._pool


def _fit(
    vectors: npt.NDArray[np.float32], settings: SegmentSettings, previous: Segmentation | None
) -> Segmentation:
    return fit_kmeans(
        vectors,
        Pipeline.feature_names,
        settings.n_segments,
        previous=previous,
        seed=settings.seed,
    )
