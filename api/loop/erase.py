"""One person: told what is held of them, or erased from log, memory and models.

An erasure is one transaction: rows go, and each model that learned from them is replaced by one
that did not, so that a crash leaves either all or nothing done. Memory follows at the commit.
Statistics that add up give the person's rows back; other models are learned again from the rest of
the log. Decisions go on meanwhile, learning waits.
"""

import asyncio
import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter
from typing import Any

import structlog

from api.loop.clock import Clock
from api.loop.errors import ConflictError
from api.loop.learn import Learner
from api.loop.lineup import Model
from api.loop.members import Members
from api.loop.placement import Placement
from api.loop.shown import ShownLog
from api.loop.snapshot import packed
from api.loop.suppression import Suppression
from api.storage.base import LearningRow, Store
from api.storage.subject import Person, Receipt, Relearned
from policy.bandits.cats import Cats
from policy.errors import BatchError, UnsupportedError
from segments.pipeline import Pipeline

log = structlog.get_logger()

TRIES = 5
RELEARNED_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Memory:
    """What an engine keeps in memory, and an erasure has to reach.

    Args:
        saving: Held while snapshots are saved.
        changing: Held while policies are changed: one that is about to join must not know them.
        learner: The running one.
        fresh: A model of a placement as it was before it learned anything.
        set_aside: Keys of a placement's policies that cannot be built now, so not corrected either.
    """

    placements: dict[str, Placement]
    pipeline: Pipeline
    shown: ShownLog
    suppression: Suppression
    saving: asyncio.Lock
    changing: asyncio.Lock
    members: Members
    learner: Callable[[], Learner]
    fresh: Callable[[Placement, Model], Model]
    set_aside: Callable[[Placement], list[str]]


class Eraser:
    """Exports and erases.

    Args:
        memory: Of the engine.
        store: The log.
        clock: Dates receipts.
    """

    def __init__(self, memory: Memory, store: Store, clock: Clock) -> None:
        self._memory = memory
        self._store = store
        self._clock = clock
        self._specs = {name: one.reward for name, one in memory.placements.items()}

    async def export(self, visitor: str) -> tuple[Person, dict[str, list[dict[str, Any]]]]:
        """Every row of a person, by table, under all of their ids."""
        person = await self._store.subjects.find(visitor)
        return person, await self._store.subjects.rows(person)

    async def erase(self, visitor: str) -> tuple[Receipt, bool]:
        """Erase a person, under whichever id.

        Returns:
            The receipt, and whether there was anything to erase: where there was not, it is that
            of the erasure before, if there was one.

        Raises:
            ConflictError: Their ids changed again and again meanwhile; nothing was done.
            StoreUnavailableError: Nothing was done.
        """
        memory = self._memory
        async with (
            memory.changing,
            memory.saving,
            memory.members.pause,
            memory.learner().pause,
        ):
            for _ in range(TRIES):
                person = await self._store.subjects.find(visitor)
                before = None if person else await self._store.subjects.receipt(visitor)
                if before is not None:
                    return before, False
                receipt = await self._erase(person, visitor)
                if receipt is not None:
                    break
            else:
                rule = "its links to other ids keep changing; try again"
                raise ConflictError("visitor", visitor, rule)
            await self._store.subjects.scrub(person.ids)
        log.info("visitor_erased", receipt=receipt.receipt_id, **receipt.rows)
        return receipt, bool(person)

    async def _erase(self, person: Person, asked: str) -> Receipt | None:
        memory, now_us = self._memory, self._clock.now_us()
        changed, models = await self._without(person)
        memory.suppression.add({asked, *person.current}, now_us)

        def forget(receipt: Receipt | None) -> None:
            if receipt is None:
                return
            memory.pipeline.forget(person.current, person.ids, person.links)
            memory.members.forget(person.decided_under)
            for placement, model, rest in changed:
                model.policy = rest.policy
                model.n_rewarded, model.reward_sum = rest.n_rewarded, rest.reward_sum
                if placement.pricing is not None and isinstance(rest.policy, Cats):
                    placement.pricing = replace(placement.pricing, policy=rest.policy)

        receipt = await self._store.subjects.erase(
            person, asked, models, now_us, self._specs, forget
        )
        if receipt is not None:  # after the callbacks of the decisions that were logged before it
            memory.shown.erase(person.decided_under)
        return receipt

    async def _without(
        self, person: Person
    ) -> tuple[list[tuple[Placement, Model, Model]], list[Relearned]]:
        """Each model that learned from a person, with what it would be without."""
        rows = await self._store.subjects.lessons(person)
        rows.sort(key=attrgetter("placement", "seq"))
        changed: list[tuple[Placement, Model, Model]] = []
        models: list[Relearned] = []
        for name, group in groupby(rows, key=attrgetter("placement")):
            placement = self._memory.placements.get(name)
            if placement is None:
                models.append(Relearned(name, "", 0, "dropped", None))
                continue
            lessons = list(group)
            aside = self._memory.set_aside(placement)
            models += [Relearned(name, key, 0, "dropped", None) for key in aside]
            for model in placement.models.values():
                learned = _between(lessons, model.learns_after, model.learned_through)
                if learned:
                    rest, how = await self._forgotten(placement, model, learned, person)
                    data = await asyncio.to_thread(packed, placement, rest)
                    changed.append((placement, model, rest))
                    models.append(Relearned(name, rest.key, rest.learned_through, how, data))
        return changed, models

    async def _forgotten(
        self, placement: Placement, model: Model, rows: list[LearningRow], person: Person
    ) -> tuple[Model, str]:
        learner = self._memory.learner()
        rest = replace(model, policy=copy.deepcopy(model.policy))
        try:
            await asyncio.to_thread(learner.unlearn, placement, rest, rows)
        except (UnsupportedError, BatchError) as error:
            log.info(
                "model_relearned", placement=placement.name, policy=model.key, reason=str(error)
            )
            return await self._relearned(placement, model, person), "relearned"
        return rest, "removed"

    async def _relearned(self, placement: Placement, model: Model, person: Person) -> Model:
        """The model as it would be, had it read the same log without the person."""
        fresh = self._memory.fresh(placement, model)
        learner, after = self._memory.learner(), fresh.learns_after
        while rows := await self._store.subjects.lessons_of_others(
            person, placement.name, after, RELEARNED_AT_ONCE
        ):
            after = rows[-1].seq
            due = _between(rows, fresh.learns_after, model.learned_through)
            await asyncio.to_thread(learner.teach, placement, fresh, due)
            if after >= model.learned_through:
                break
        fresh.learned_through = model.learned_through
        return fresh


def _between(rows: Iterable[LearningRow], after: int, through: int) -> list[LearningRow]:
    return [row for row in rows if after < row.seq <= through]
