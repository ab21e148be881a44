"""Lists: one request, several slots, each a decision of its own.

Slots are decided in their order. Each is a decision as any other, under the same rules, over what
the slots above it have left; its probability is that of its action given theirs, and the product is
the probability of the list. Caps and price guards know what the slots above show. So rewards,
learning and evaluation need no word about lists; `policy.slots` says what else is exact.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import structlog
from pydantic_core import to_json

from api.loop.choice import Choice, default_choice, to_answer, to_row
from api.loop.decide import NO_ELIGIBLE, STORE_UNAVAILABLE, Asked, Decider
from api.loop.errors import BadRequestError
from api.loop.placement import Choices
from api.loop.shown import ShownLog
from api.schemas.decision import DecisionRequest, SlotRequest
from api.storage.base import DecisionRow, StoreUnavailableError
from api.storage.keyed import Keyed, KeyedRequest, Told

log = structlog.get_logger()


class Filled(NamedTuple):
    """A slot and what it shows.

    Args:
        asked: What was asked for it.
        choice: Its reason says why, when it is the baseline or the default.
        shows: False for a slot that stays empty.
    """

    slot: SlotRequest
    asked: Asked
    choice: Choice
    shows: bool = True

    @property
    def name(self) -> str:
        """Id of the action."""
        return self.choice.choices.ids[self.choice.chosen]

    def row(self, list_id: str, version: str) -> DecisionRow:
        """As it is logged."""
        _, asked, choice, _ = self
        row = to_row(
            asked.placement, choice, asked.decision_id, asked.visitor, asked.now_us, version
        )
        return row._replace(list_id=list_id, slot=self.slot.id, owner=asked.owner)


class ListDecider:
    """Answers requests for several slots.

    Args:
        decider: Decides each.
        shown: The log of decisions, and what visitors were shown.
    """

    def __init__(self, decider: Decider, shown: ShownLog) -> None:
        self._decider = decider
        self._shown = shown

    async def decide(
        self,
        request: DecisionRequest,
        owner: str | None = None,
        once: KeyedRequest | None = None,
    ) -> dict[str, Any]:
        """Fill, log, answer.

        Args:
            request: The checked request, with slots.
            owner: Whose key it came with; None for the shop's own.
            once: The key under which it is done once.

        Returns:
            The body of a `ListResponse`.

        Raises:
            NotFoundError: Unknown placement.
            BadRequestError: A slot, context, candidate or timestamp that breaks a rule.
            RepeatedRequestError: It was answered before.
        """
        asked = self._decider.ask(request.model_copy(update={"slots": None}), owner)
        return await self.fill(asked, request.slots or [], once=once)

    async def fill(
        self,
        asked: Asked,
        slots: list[SlotRequest],
        decision_ids: Sequence[str] | None = None,
        once: KeyedRequest | None = None,
    ) -> dict[str, Any]:
        """The same for a request that was looked at.

        Args:
            asked: What is asked of all slots; its decision id becomes the list's.
            slots: At least one.
            decision_ids: Of the slots' decisions; None for new ones.
            once: The key under which it is done once.

        Returns:
            The body of a `ListResponse`.

        Raises:
            BadRequestError: As `decide`.
            RepeatedDecisionError: Decisions of these ids are in the log.
        """
        ids = decision_ids or [self._decider.new_id(asked.now_us) for _ in slots]
        baselines = _baselines(asked, slots)
        version, list_id = asked.placement.version, asked.decision_id
        filled: list[Filled] = []
        rows: list[DecisionRow] = []
        try:
            for slot, baseline, decision_id in zip(slots, baselines, ids, strict=True):
                one = asked._replace(decision_id=decision_id)
                filled.append(self._filled(one, slot, baseline, filled))
                if filled[-1].shows:
                    rows.append(filled[-1].row(list_id, version))
                    self._shown.expect(rows[-1])
        except BaseException:
            self._shown.forget(rows)
            raise
        if not rows:
            filled[0] = _by_default(filled[0])
            rows.append(filled[0].row(list_id, version))
            self._shown.expect(rows[-1])
        answer = _answer(list_id, filled, version)
        keyed = None if once is None else _told(once, answer, asked.visitor)
        try:
            await self._shown.append_list(rows, keyed)
        except StoreUnavailableError as error:
            log.error("list_not_logged", placement=asked.placement.name, error=str(error))
            first = _by_default(filled[0], STORE_UNAVAILABLE)
            new_id, now_us = self._decider.new_id, asked.now_us
            later = first._replace(asked=first.asked._replace(decision_id=new_id(now_us)))
            self._shown.backlog.add(later.row(new_id(now_us), version))
            return _not_logged([first, *filled[1:]], version)
        return answer

    def _filled(
        self, asked: Asked, slot: SlotRequest, baseline: Choices | None, above: list[Filled]
    ) -> Filled:
        """A slot over what is left; its baseline where that is nothing."""
        taken = [one.name for one in above if one.shows]
        request = asked.request
        asked = asked._replace(
            request=request.model_copy(
                update={
                    "context": request.context | slot.context,
                    "excluded": [*request.excluded, *taken, *slot.excluded],
                }
            ),
            baseline=baseline or asked.baseline,
        )
        choice = self._decider.choose(asked)
        if choice.reason is None:
            return Filled(slot, asked, choice)
        if baseline is not None:
            alone = [*request.excluded, *taken]  # the slot's own exclusions are about its draw
            narrowed = asked.request.model_copy(update={"excluded": alone})
            instead = self._decider.choose(asked._replace(choices=baseline, request=narrowed))
            if instead.reason is None:
                shown = choice._replace(
                    choices=instead.choices, probabilities=np.ones(1), expected=instead.expected
                )
                return Filled(slot, asked, shown)
        return Filled(slot, asked, choice, shows=False)


def _told(once: KeyedRequest, answer: dict[str, Any], visitor: str) -> Keyed[list[int]]:
    told = Told(to_json(answer), visitor)
    return Keyed(once, lambda _: told)


def _baselines(asked: Asked, slots: list[SlotRequest]) -> list[Choices | None]:
    """The baseline of each slot, with its rules."""
    names: set[str] = set()
    found: list[Choices | None] = []
    for index, slot in enumerate(slots):
        if slot.id in names:
            raise BadRequestError(f"slots[{index}].id", slot.id, "is there twice")
        names.add(slot.id)
        if slot.baseline is None:
            found.append(None)
        elif slot.baseline in asked.choices.ids:
            action = asked.choices.actions[asked.choices.ids.index(slot.baseline)]
            found.append(asked.placement.among([action]))
        else:
            rule = "must be one of the candidates"
            raise BadRequestError(f"slots[{index}].baseline", slot.baseline, rule)
    return found


def _by_default(slot: Filled, reason: str | None = None) -> Filled:
    """The placement's default in a slot of a list that would show nothing."""
    choice = slot.choice
    reason = reason or choice.reason or NO_ELIGIBLE
    choice = default_choice(slot.asked.placement, reason, choice.refused, slot.asked.group)
    return slot._replace(choice=choice, shows=True)


def _not_logged(filled: list[Filled], version: str) -> dict[str, Any]:
    """The default in the first slot, and nothing else."""
    others = [
        one._replace(choice=one.choice._replace(reason=STORE_UNAVAILABLE), shows=False)
        for one in filled[1:]
    ]
    return _answer(None, [filled[0], *others], version)


def _answer(list_id: str | None, filled: list[Filled], version: str) -> dict[str, Any]:
    chosen = [one.choice for one in filled if one.shows]
    return {
        "list_id": list_id,
        "probability": math.prod(one.probability for one in chosen),
        "slots": [
            {
                "slot": one.slot.id,
                "decision": to_answer(one.choice, list_id and one.asked.decision_id, version)
                if one.shows
                else None,
                "reason": None if one.shows else one.choice.reason,
            }
            for one in filled
        ],
    }
