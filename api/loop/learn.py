"""Learn: rewards of the log into the policies, each once, in the order of the log.

The same code runs live and after a restart: it reads on from where a model's snapshot ends, and
because rows are learned one after another, the model equals a replay of the log bit for bit.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import structlog

from api.loop.placement import Placement
from api.loop.teach import Teacher
from api.storage.base import Store

log = structlog.get_logger()

CHUNK = 64
"""Rows learned before the event loop gets its turn again: about 2 ms."""

GATHER_SECONDS = 0.02
"""How long a first reward waits for company."""


class Learner(Teacher):
    """Follows the log of rewards.

    Args:
        store: The log.
        placements: Whose policies learn.
        layouts: Names of logged vectors' entries, from `Store.layouts`.
        on_learned: Told how many rows were learned, for metrics.

    Attributes:
        pause: Nothing is learned while somebody else holds it.
    """

    def __init__(
        self,
        store: Store,
        placements: Mapping[str, Placement],
        layouts: Mapping[int, Mapping[str, Sequence[str]]],
        on_learned: Callable[[int], None] = lambda n: None,
    ) -> None:
        super().__init__(placements, layouts, on_learned)
        self._store = store
        self._wake = asyncio.Event()
        self.pause = asyncio.Lock()

    def notify(self) -> None:
        """There may be new rewards."""
        self._wake.set()

    async def run(self) -> None:
        """Learn until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await asyncio.sleep(GATHER_SECONDS)
            try:
                await self.drain()
            except Exception:
                log.exception("learning_failed", read_through=self.read_through)
                await asyncio.sleep(1)
                self._wake.set()

    async def drain(self) -> int:
        """Learn all that is in the log now; returns the number of rows."""
        n_rows = 0
        while n_learned := await self._step():
            n_rows += n_learned
        return n_rows

    def beside(self, placements: Mapping[str, Placement]) -> "Learner":
        """One that learns the same log into other policies."""
        return Learner(self._store, placements, self._layouts)

    async def _step(self) -> int:
        async with self.pause:
            rows = await self._store.rewards_after(self.read_through, CHUNK)
            if rows:
                self.learn(rows)
            return len(rows)
