"""Personalizer's events on our loop: a rank is a list of decisions, an event id is its name.

Above the loop, which knows nothing of it. A client may name an event itself: the ids of its
decisions follow from that name, so that the same rank sent twice is one decision, and a reward
finds it without a table of names.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

from api.loop.decide import Asked
from api.loop.engine import Engine
from api.loop.errors import BadRequestError, ConflictError, NotFoundError
from api.personalizer.answers import multi_slot_answer, rank_answer, repeated_slots
from api.personalizer.translate import Translator
from api.schemas.decision import SlotRequest
from api.schemas.personalizer import (
    MultiSlotRankRequest,
    MultiSlotReward,
    RankableAction,
    RankableSlot,
    RankRequest,
)
from api.schemas.reward import ActivationRequest, DecisionReward
from api.storage.base import DecisionRow, RepeatedDecisionError

ID_CHARACTERS = 32


class Event(NamedTuple):
    """One rank on its way.

    Args:
        event_id: As the client knows it.
        asked: What is asked of every slot.
    """

    event_id: str
    asked: Asked
    slots: list[SlotRequest]
    decision_ids: list[str]


class Events:
    """Ranks, rewards and activations.

    Args:
        engine: Decides and rewards.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._translator: Translator | None = None
        settings = engine.settings.personalizer
        if settings is not None:
            placements = {one.name: one for one in engine.settings.placements}
            self._translator = Translator(settings, placements[settings.placement])

    async def rank(self, request: RankRequest, owner: str | None = None) -> dict[str, Any]:
        """Choose one action; the body of a `RankResponse`.

        Raises:
            LoopError: As `Decider.decide`; or the event id names other actions.
        """
        event = self._event(request, None, owner)
        (slot,) = await self._fill(event, defer=bool(request.deferActivation))
        return rank_answer(event.event_id, slot)

    async def rank_slots(
        self, request: MultiSlotRankRequest, owner: str | None = None
    ) -> dict[str, Any]:
        """Choose an action for each slot; the body of a `MultiSlotRankResponse`.

        Raises:
            LoopError: As `rank`.
        """
        event = self._event(request, request.slots, owner)
        slots = await self._fill(event, defer=bool(request.deferActivation))
        return multi_slot_answer(event.event_id, slots)

    async def reward(self, event_id: str, value: float, owner: str | None = None) -> None:
        """Report what became of an event with one slot.

        Raises:
            NotFoundError: There is no such event.
        """
        await self._reward(event_id, decision_id_of(event_id), value, owner)

    async def reward_slots(
        self, event_id: str, reward: MultiSlotReward, owner: str | None = None
    ) -> None:
        """Report what became of slots of an event.

        Raises:
            NotFoundError: There is no such event.
            BadRequestError: It shows nothing in a slot; then nothing is counted.
        """
        decision_ids = {row.slot: row.decision_id for row in await self._rows(event_id, owner)}
        for index, each in enumerate(reward.reward):
            if each.slotId not in decision_ids:
                rule = "must be a slot of the event that shows something"
                raise BadRequestError(f"reward[{index}].slotId", each.slotId, rule)
        for each in reward.reward:
            await self._reward(event_id, decision_ids[each.slotId], each.value, owner)

    async def activate(self, event_id: str, owner: str | None = None) -> None:
        """Note that an event was shown, all of its slots.

        Raises:
            NotFoundError: There is no such event.
        """
        await self._activate([row.decision_id for row in await self._rows(event_id, owner)], owner)

    def _event(
        self,
        request: RankRequest | MultiSlotRankRequest,
        slots: Sequence[RankableSlot] | None,
        owner: str | None,
    ) -> Event:
        translator, decider = self._configured(), self._engine.decider
        known = translator.known(request.contextFeatures)
        excluded = frozenset(request.excludedActions or ())
        baseline = _baseline(request.actions, excluded)
        event_id = request.eventId or decider.new_id(self._engine.clock.now_us())
        name = decision_id_of(event_id)
        visitor = known.visitor or f"event:{name}"
        wanted = translator.request(known, visitor, request.actions, sorted(excluded))
        asked = decider.ask(wanted, owner)
        placement = asked.placement.with_default(asked.choices.actions[baseline])
        asked = asked._replace(placement=placement, baseline=placement.baseline, decision_id=name)
        asked_slots = translator.slots(known, slots)
        names = [name if slots is None else decision_id_of(name, slot.id) for slot in asked_slots]
        return Event(event_id, asked, asked_slots, names)

    async def _fill(self, event: Event, *, defer: bool) -> list[dict[str, Any]]:
        """Decide, or find what was decided; then activate what is certain to be shown."""
        lists = self._engine.lists
        slots: list[dict[str, Any]]
        try:
            answer = await lists.fill(event.asked, event.slots, event.decision_ids)
            slots, logged = answer["slots"], answer["list_id"] is not None
        except RepeatedDecisionError:
            asked = event.asked
            logged_rows = await self._engine.store.decisions_of_list(asked.decision_id)
            rows = [row for row in logged_rows if row.owner == asked.owner]
            slots, logged = repeated_slots(event.event_id, rows, event.slots, event.asked), True
        if logged and not defer:
            shown = [slot["decision"] for slot in slots]
            await self._activate(
                [one["decision_id"] for one in shown if one is not None], event.asked.owner
            )
        return slots

    async def _reward(
        self, event_id: str, decision_id: str, value: float, owner: str | None
    ) -> None:
        engine = self._engine
        reward_id = None
        if self._sums:  # every call counts, as it did at Personalizer
            reward_id = f"personalizer:{engine.decider.new_id(engine.clock.now_us())}"
        reward = DecisionReward.model_construct(value=value, reward_id=reward_id)
        try:
            await engine.rewarder.reward(decision_id, reward, owner)
        except ConflictError:  # the earliest counts
            return
        except NotFoundError:
            raise _unknown(event_id) from None
        engine.notify_rewards()

    async def _activate(self, decision_ids: Sequence[str], owner: str | None) -> None:
        for decision_id in decision_ids:
            await self._engine.rewarder.activate(decision_id, ActivationRequest(), owner)
        self._engine.notify_rewards()

    async def _rows(self, event_id: str, owner: str | None) -> list[DecisionRow]:
        rows = await self._engine.store.decisions_of_list(decision_id_of(event_id))
        if not rows or rows[0].owner != owner:
            raise _unknown(event_id)
        return rows

    @property
    def _sums(self) -> bool:
        settings = self._engine.settings.personalizer
        if settings is None:
            return False
        return self._engine.placements[settings.placement].reward.aggregation == "sum"

    def _configured(self) -> Translator:
        if self._translator is None:
            rule = "Personalizer's interface is not set up: add [personalizer] to segue.toml"
            raise NotFoundError("personalizer", None, rule)
        return self._translator


def decision_id_of(event_id: str, slot: str = "") -> str:
    """The decision that an event, or one slot of it, is.

    An id that has the form of a decision's stands for itself: those that the service makes are good
    for `/v1/rewards` as well.

    Example:
        >>> decision_id_of("0" * 32) == "0" * 32, decision_id_of("my event")
        (True, '31bf13990d869f4e721843fd9bc6fa74')
    """
    if not slot and len(event_id) == ID_CHARACTERS and set(event_id) <= set("0123456789abcdef"):
        return event_id
    name = f"{event_id}\0{slot}".encode("utf-8", "surrogatepass")
    return blake2b(name, digest_size=ID_CHARACTERS // 2).hexdigest()


def _baseline(actions: Sequence[RankableAction], excluded: frozenset[str]) -> int:
    """Position of the first action that may be shown."""
    for index, action in enumerate(actions):
        if action.id not in excluded:
            return index
    rule = "must leave at least one of the actions"
    raise BadRequestError("excludedActions", len(excluded), rule)


def _unknown(event_id: str) -> NotFoundError:
    return NotFoundError("eventId", event_id, "no such event: it was never ranked")
