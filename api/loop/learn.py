"""Learn: rewards of the log into the policies, each once, in the order of the log.

The same code runs live and after a restart: it reads on from where a model's snapshot ends, and
because rows are learned one after another, the model equals a replay of the log bit for bit.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter

import numpy as np
import numpy.typing as npt
import structlog

from api.loop.lineup import Model
from api.loop.placement import Placement
from api.storage.base import LearningRow, Store
from policy.base import Batch
from policy.errors import PolicyError

log = structlog.get_logger()

Vector = npt.NDArray[np.float32]

CHUNK = 64
"""Rows learned before the event loop gets its turn again: about 2 ms."""

GATHER_SECONDS = 0.02
"""How long a first reward waits for company."""


class Learner:
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
        self._store = store
        self._placements = placements
        self._layouts = layouts
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
            self.teach(placement, model, [row for row in rows if row.seq <= self.read_through])
            if after >= self.read_through:
                break

    async def _step(self) -> int:
        async with self.pause:
            rows = await self._store.rewards_after(self.read_through, CHUNK)
            if rows:
                self.learn(rows)
            return len(rows)

    def unlearn(self, placement: Placement, model: Model, rows: Sequence[LearningRow]) -> None:
        """Take learned rows out of a model, as if they had never been there.

        Raises:
            UnsupportedError: The policy has no statistics that rows could be taken out of.
            BatchError: A row that cannot have been learned; then nothing changes.
        """
        usable = [row for row in rows if _is_lesson(row)]
        if usable:
            model.policy.remove(self._batch(placement, usable))
        model.n_rewarded -= sum(bool(row.is_first) for row in rows)
        model.reward_sum -= sum(row.value for row in rows)

    def learn(self, rows: Iterable[LearningRow]) -> None:
        """Learn rows of the log, in order."""
        rows = sorted(rows, key=attrgetter("placement", "seq"))
        for name, group in groupby(rows, key=attrgetter("placement")):
            placement = self._placements.get(name)
            if placement is not None:
                due = list(group)
                for model in placement.lineup.learning:
                    self.teach(placement, model, due)
        self.read_through = max([self.read_through, *(row.seq for row in rows)])
        self._on_learned(len(rows))

    def teach(self, placement: Placement, model: Model, rows: Iterable[LearningRow]) -> None:
        """Have one model learn rows of the log, in order, as far as they are new to it."""
        new = [
            row
            for row in rows
            if row.placement == placement.name and row.seq > model.learned_through
        ]
        usable = [row for row in new if _is_lesson(row)]
        # Whatever goes wrong in a challenger, the champion goes on learning.
        refusals = PolicyError if model is placement.lineup.champion else Exception
        try:
            self._update(placement, model, usable)
        except refusals:
            for row in usable:
                self._learn_one(placement, model, row, refusals)
        for row in new:
            model.learned_through = row.seq
            model.n_rewarded += bool(row.is_first)
            model.reward_sum += row.value

    def _learn_one(
        self, placement: Placement, model: Model, row: LearningRow, refusals: type[Exception]
    ) -> None:
        try:
            self._update(placement, model, [row])
        except refusals as error:
            log.error(
                "reward_not_learned",
                placement=placement.name,
                policy=model.key,
                seq=row.seq,
                error=str(error),
            )

    def _update(self, placement: Placement, model: Model, rows: list[LearningRow]) -> None:
        if rows:
            model.policy.update(self._batch(placement, rows))

    def _batch(self, placement: Placement, rows: list[LearningRow]) -> Batch:
        seen = [self._translated(placement, row) for row in rows]
        return Batch(
            contexts=np.array([context for context, _ in seen], np.float64),
            features=np.array([features for _, features in seen], np.float64),
            action_ids=tuple(row.action_id for row in rows),
            rewards=np.array([row.value for row in rows]),
            first=np.array([bool(row.is_first) for row in rows]),
            before=np.array([row.before for row in rows]),
        )

    def _translated(self, placement: Placement, row: LearningRow) -> tuple[Vector, Vector]:
        """What the policy saw, in the names of today: a feature that was not there yet is 0."""
        context = np.frombuffer(row.context or b"", np.float32)
        if row.layout == placement.layout:
            return context, _of_chosen(row, len(placement.feature_names))
        names = self._layouts[row.layout or 0]
        features = _of_chosen(row, len(names["features"]))
        return (
            by_name(context, names["context"], placement.contexts.names),
            by_name(features, names["features"], placement.feature_names),
        )


def _is_lesson(row: LearningRow) -> bool:
    """Not a default, which nobody chose, and no row that changes nothing."""
    return row.layout is not None and bool(row.is_first or row.value)


def _of_chosen(row: LearningRow, n_shared: int) -> Vector:
    offset = 4 * n_shared * row.chosen
    return np.frombuffer(row.features or b"", np.float32, n_shared, offset)


def by_name(values: Vector, old: Sequence[str], new: Sequence[str]) -> Vector:
    """A logged vector in the names of today; what was not there is 0."""
    known = dict(zip(old, values.tolist(), strict=True))
    return np.array([known.get(name, 0.0) for name in new], np.float32)
