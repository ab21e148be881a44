"""Decide: visitor and context in, one action with its exact probability out.

The hot path. Profile, features, segment, pair features and policy are array work in memory; then
one row goes to the log, and the answer waits until that row is durable.
"""

import json
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import structlog

from api.loop.chance import Chance, DecisionIds
from api.loop.clock import Clock, from_us, to_us
from api.loop.errors import BadRequestError, NotFoundError
from api.loop.placement import Choices, Placement
from api.schemas.decision import CandidateAction, DecisionRequest
from api.settings import nearest
from api.storage.base import DecisionRow, Store, StoreUnavailableError
from policy.base import Candidates, draw
from policy.catalog.action import Action
from policy.errors import CatalogError, ContextError, DecisionError
from segments.pipeline import Pipeline

log = structlog.get_logger()

NO_ELIGIBLE = "no eligible action"
STORE_UNAVAILABLE = "the log cannot be written"
POLICY_FAILED = "the policy failed"


class Choice(NamedTuple):
    """What was chosen, with all that went into it.

    Args:
        context: float32 (n_context,), or None when nothing was computed.
        features: float32 (n_candidates, n_shared), likewise.
        probabilities: float64 over `choices`.
        expected: Expected reward of each candidate.
    """

    choices: Choices
    chosen: int
    probabilities: npt.NDArray[np.float64]
    expected: npt.NDArray[np.float64]
    segment: str | None
    context: npt.NDArray[np.float32] | None
    features: npt.NDArray[np.float32] | None
    reason: str | None = None


class Decider:
    """Answers decision requests.

    Args:
        placements: By name.
        pipeline: Who the visitors are.
        store: Where decisions become durable.
        clock: What time it is.
    """

    def __init__(
        self, placements: dict[str, Placement], pipeline: Pipeline, store: Store, clock: Clock
    ) -> None:
        self._placements = placements
        self._pipeline = pipeline
        self._store = store
        self._clock = clock
        self._chance = Chance()
        self._ids = DecisionIds()

    async def decide(self, request: DecisionRequest) -> dict[str, Any]:
        """Choose, log, answer.

        Args:
            request: The checked request.

        Returns:
            The body of a `DecisionResponse`.

        Raises:
            NotFoundError: Unknown placement.
            BadRequestError: A context, candidate or timestamp that breaks a rule.
        """
        placement = self._placement(request.placement)
        now_us = self._now_us(request)
        visitor = self._pipeline.resolve(request.visitor)
        decision_id = self._ids.new(now_us)
        version = placement.version
        choices, excluded = self._choices(placement, request)
        try:
            choice = self._choose(placement, choices, visitor, request, now_us, decision_id)
        except ContextError as error:
            raise BadRequestError(f"context.{error.field}", error.value, error.rule) from None
        except DecisionError as error:
            raise BadRequestError("actions", len(choices.ids), str(error)) from None
        except Exception:
            log.exception("decision_failed", placement=placement.name)
            choice = _default(placement, POLICY_FAILED)
        row = _row(placement, choice, decision_id, visitor, now_us, version)
        logged: str | None = decision_id
        try:
            await self._store.append_decision(row)
        except StoreUnavailableError as error:
            log.error("decision_not_logged", placement=placement.name, error=str(error))
            choice, logged = _default(placement, STORE_UNAVAILABLE), None
        return _answer(choice, logged, version, excluded)

    def _placement(self, name: str) -> Placement:
        placement = self._placements.get(name)
        if placement is None:
            known = ", ".join(sorted(self._placements)) or "none"
            rule = f"no such placement; configured: {known}{nearest(name, self._placements)}"
            raise NotFoundError("placement", name, rule)
        return placement

    def _now_us(self, request: DecisionRequest) -> int:
        if request.timestamp is not None:
            if not self._clock.trusts_requests:
                rule = 'is taken only with service.clock = "replay"; leave it out'
                raise BadRequestError("timestamp", request.timestamp.isoformat(), rule)
            self._clock.advance(to_us(request.timestamp))
            return to_us(request.timestamp)
        now_us = self._clock.now_us()
        if not now_us:
            rule = 'is needed with service.clock = "replay": no request has named a time yet'
            raise BadRequestError("timestamp", None, rule)
        return now_us

    def _choices(
        self, placement: Placement, request: DecisionRequest
    ) -> tuple[Choices, tuple[str, ...]]:
        """What may be chosen, and the candidates that may not."""
        choices = placement.choices
        if request.actions is not None:
            choices = _candidates(request.actions, placement)
        if not request.excluded:
            return choices, ()
        excluded = frozenset(request.excluded)
        out = tuple(name for name in choices.ids if name in excluded)
        return choices.without(excluded), out

    def _choose(
        self,
        placement: Placement,
        choices: Choices,
        visitor: str,
        request: DecisionRequest,
        now_us: int,
        decision_id: str,
    ) -> Choice:
        if not choices.ids:
            return _default(placement, NO_ELIGIBLE)
        look = self._pipeline.look(visitor, from_us(now_us))
        described = look.context()
        segmentation = self._pipeline.segmentation
        slot = segmentation.slot(described.segment) if segmentation and described.segment else None
        context = placement.contexts.encode(described.vector, slot, request.context)
        categories, brands = choices.categories, choices.brands
        features = placement.pairs.encode(
            context,
            choices.static,
            0.0 if categories is None else look.affinities("category", categories),
            0.0 if brands is None else look.affinities("brand", brands),
        )
        candidates = Candidates(choices.ids, features)
        rng = self._chance.of(decision_id)
        probabilities, expected = placement.policy.decide(context, candidates, rng)
        return Choice(
            choices,
            draw(probabilities, rng.random()),
            probabilities,
            expected,
            described.segment,
            context,
            features,
        )


def _candidates(actions: list[CandidateAction], placement: Placement) -> Choices:
    made: dict[str, Action] = {}
    for index, action in enumerate(actions):
        if action.id in made:
            raise BadRequestError(f"actions[{index}].id", action.id, "is there twice")
        try:
            made[action.id] = _candidate(action)
            if action.features:
                placement.pairs.static([made[action.id]])  # refuses undeclared features, by index
        except CatalogError as error:
            raise BadRequestError(f"actions[{index}]", action.id, str(error)) from None
    return Choices.of(list(made.values()), placement.pairs)


def _candidate(action: CandidateAction) -> Action:
    return Action(
        id=action.id,
        kind=action.kind,
        payload=json.dumps(action.payload),
        category=action.category,
        brand=action.brand,
        features=tuple(action.features.items()),
    )


def _default(placement: Placement, reason: str) -> Choice:
    return Choice(
        Choices.of([placement.default], placement.pairs),
        0,
        np.ones(1),
        np.zeros(1),
        None,
        None,
        None,
        reason,
    )


def _row(
    placement: Placement, choice: Choice, decision_id: str, visitor: str, now_us: int, version: str
) -> DecisionRow:
    action = choice.choices.actions[choice.chosen]
    context, features = choice.context, choice.features
    return DecisionRow(
        decision_id,
        visitor,
        placement.name,
        now_us,
        now_us + placement.window_us,
        version,
        None if context is None else placement.layout,
        choice.segment,
        action.id,
        placement.matched(action),
        choice.chosen,
        float(choice.probabilities[choice.chosen]),
        choice.reason,
        choice.choices.ids_json,
        choice.probabilities.tobytes(),
        None if context is None else context.tobytes(),
        None if features is None else features.tobytes(),
    )


@lru_cache(4096)
def _parsed(payload: str) -> Any:
    """A payload as it is answered; nobody changes it."""
    return json.loads(payload)


def _answer(
    choice: Choice, decision_id: str | None, version: str, excluded: tuple[str, ...]
) -> dict[str, Any]:
    action = choice.choices.actions[choice.chosen]
    ids = choice.choices.ids
    probabilities = choice.probabilities.tolist()
    expected = choice.expected.tolist()
    order = sorted(range(len(ids)), key=expected.__getitem__, reverse=True)
    order.remove(choice.chosen)
    ranking = [{"id": ids[i], "probability": probabilities[i]} for i in (choice.chosen, *order)]
    ranking += [{"id": name, "probability": 0.0} for name in excluded if name != action.id]
    return {
        "decision_id": decision_id,
        "action": {"id": action.id, "kind": action.kind, "payload": _parsed(action.payload)},
        "probability": probabilities[choice.chosen],
        "ranking": ranking,
        "segment": choice.segment,
        "policy_version": version,
        "default": choice.reason is not None,
        "reason": choice.reason,
    }
