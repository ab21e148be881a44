"""Learn: rewards of the log into the policies, each once, in the order of the log.

The same code runs live and after a restart: it reads on from where a model's snapshot ends, and
because rows are learned one after another, the model equals a replay of the log bit for bit.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter

import structlog

from api.loop.lineup import Model
from api.loop.placement import Placement
from api.loop.teach import Teacher
from api.storage.base import LearningRow, Store
from policy.errors import PolicyError

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
        read_through: Place in the log of the last reward that was read.
    """

    def __init__(
        self,
        store: Store,
        placements: Mapping[str, Placement],
        layouts: Mapping[int, Mapping[str, Sequence[str]]],
        on_learned: Callable[[int], None] = lambda n: None,
    ) -> None:
        super().__init__(layouts)
        self._store = store
        self._placements = placements
        self._on_learned = on_learned
        self._wake = asyncio.Event()
        self.pause = asyncio.Lock()
        models = [model for one in placements.values() for model in one.lineup.learning]
        self.read_through = min((model.learned_through for model in models), default=0)

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

    async def catch_up(self, placement: Placement, model: Model) -> None:
        """Have a model learn what the others have learned already, of as much as the log still has.

        Holds nobody up; while somebody holds `pause`, the model is as far as the others when it is
        done, and can join them.
        """
        after = model.learned_through
        while rows := await self._store.rewards_after(after, CHUNK):
            after = rows[-1].seq
            self._teach(placement, model, [row for row in rows if row.seq <= self.read_through])
            if after >= self.read_through:
                break

    def learn(self, rows: Iterable[LearningRow]) -> None:
        """Learn rows of the log, in order."""
        rows = sorted(rows, key=attrgetter("placement", "seq"))
        for name, group in groupby(rows, key=attrgetter("placement")):
            placement = self._placements.get(name)
            if placement is not None:
                due = list(group)
                for model in placement.lineup.learning:
                    self._teach(placement, model, due)
        self.read_through = max([self.read_through, *(row.seq for row in rows)])
        self._on_learned(len(rows))

    def _teach(self, placement: Placement, model: Model, rows: Iterable[LearningRow]) -> None:
        """Whatever goes wrong in a challenger, the champion goes on learning."""
        is_champion = model is placement.lineup.champion
        self.teach(placement, model, rows, PolicyError if is_champion else Exception)

    async def _step(self) -> int:
        async with self.pause:
            rows = await self._store.rewards_after(self.read_through, CHUNK)
            if rows:
                self.learn(rows)
            return len(rows)
