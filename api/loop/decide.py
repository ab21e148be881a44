"""Decide: visitor and context in, one action with its exact probability out.

The hot path. Profile, features, segment, rules, pair features and policy are work in memory; then
one row goes to the log, and the answer waits until that row is durable. Rules act on the candidates
before the policy distributes, and the policy distributes before anything is drawn.
"""

import json
from collections.abc import Mapping
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import structlog
from pydantic_core import to_json

from api.loop.chance import Chance, DecisionIds
from api.loop.choice import NONE, Choice, default_choice, to_answer, to_row
from api.loop.clock import Clock, from_us, to_us
from api.loop.errors import BadRequestError, NotFoundError
from api.loop.metrics import Metrics
from api.loop.placement import CONTROL, Choices, Placement
from api.loop.shown import ShownLog
from api.loop.supply import Supply
from api.schemas.decision import CandidateAction, DecisionRequest
from api.section import nearest
from api.storage.base import DecisionRow, StoreUnavailableError
from api.storage.keyed import Keyed, KeyedRequest, Told
from policy.base import Candidates, draw
from policy.catalog.action import Action
from policy.catalog.eligibility import Reason, Situation
from policy.catalog.exposure import NOTHING
from policy.errors import CatalogError, ContextError, DecisionError
from segments.look import Look
from segments.pipeline import Pipeline

log = structlog.get_logger()

NO_ELIGIBLE = "no eligible action"
STORE_UNAVAILABLE = "the log cannot be written"
POLICY_FAILED = "the policy failed"
EXCLUDED: Reason = "excluded"


class Asked(NamedTuple):
    """One request, with what it is about.

    Args:
        choices: The candidates.
        baseline: What the control group is shown.
        visitor: The id in use.
        group: `control` or `treatment`; None without a holdout.
        owner: Whose key it came with; None for the shop's own.
    """

    placement: Placement
    request: DecisionRequest
    choices: Choices
    baseline: Choices
    visitor: str
    group: str | None
    now_us: int
    decision_id: str
    owner: str | None = None


class Decider:
    """Answers decision requests.

    Args:
        placements: By name.
        pipeline: Who the visitors are.
        shown: The log of decisions, and what visitors were shown.
        clock: What time it is.
        supply: What there is left of money and goods.
        metrics: Count and audit choices.
    """

    def __init__(
        self,
        placements: dict[str, Placement],
        pipeline: Pipeline,
        shown: ShownLog,
        clock: Clock,
        supply: Supply,
        metrics: Metrics,
    ) -> None:
        self._placements = placements
        self._pipeline = pipeline
        self._shown = shown
        self._clock = clock
        self._supply = supply
        self._stage = metrics.stages.note
        self._audit = metrics.audit
        self._chance = Chance()
        self._ids = DecisionIds()

    async def decide(
        self,
        request: DecisionRequest,
        owner: str | None = None,
        once: KeyedRequest | None = None,
    ) -> dict[str, Any]:
        """Choose, log, answer.

        Args:
            request: The checked request.
            owner: Whose key it came with; None for the shop's own.
            once: The key under which it is done once.

        Returns:
            The body of a `DecisionResponse`.

        Raises:
            NotFoundError: Unknown placement.
            BadRequestError: A context, candidate or timestamp that breaks a rule.
            RepeatedRequestError: It was answered before.
        """
        started = perf_counter()
        asked = self.ask(request, owner)
        placement, logged = asked.placement, asked.decision_id
        version = placement.version
        choice = self.choose(asked)
        row = to_row(placement, choice, asked.decision_id, asked.visitor, asked.now_us, version)
        if owner is not None:
            row = row._replace(owner=owner)
        keyed = None if once is None else _told(once, to_answer(choice, logged, version), row)
        chosen = perf_counter()
        self._stage("choose", chosen - started)
        try:
            await self._shown.append(row, keyed)
        except StoreUnavailableError as error:
            log.error("decision_not_logged", placement=placement.name, error=str(error))
            choice = default_choice(placement, STORE_UNAVAILABLE, choice.refused, asked.group)
            # Under another id: the first one may have reached the log, and is then taken back.
            name = self.new_id(asked.now_us)
            row = to_row(placement, choice, name, asked.visitor, asked.now_us, version)
            self._shown.backlog.add(row._replace(owner=owner))
            return to_answer(choice, None, version)
        self._stage("log", perf_counter() - chosen)
        return to_answer(choice, logged, version)

    def ask(self, request: DecisionRequest, owner: str | None = None) -> Asked:
        """What a request is about.

        Args:
            request: The checked request.
            owner: Whose key it came with; None for the shop's own.

        Raises:
            NotFoundError: Unknown placement.
            BadRequestError: A candidate or timestamp that breaks a rule.
        """
        placement = self._placement(request.placement)
        now_us = self._now_us(request)
        visitor = self._pipeline.resolve(request.visitor)
        choices = placement.choices
        if request.actions is not None:
            if placement.pricing is not None:
                rule = "this placement draws the price of its own action: leave them out"
                raise BadRequestError("actions", len(request.actions), rule)
            choices = _candidates(request.actions, placement)
        return Asked(
            placement,
            request,
            choices,
            placement.baseline,
            visitor,
            placement.group(visitor),
            now_us,
            self.new_id(now_us),
            owner,
        )

    def new_id(self, now_us: int) -> str:
        """The id of a decision, from which its randomness comes."""
        return self._ids.new(now_us)

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

    def choose(self, asked: Asked) -> Choice:
        """The policy's choice; the default where the policy fails.

        Raises:
            BadRequestError: A context or a candidate that breaks a rule.
        """
        choice = self._chosen(asked)
        self._audit.note(asked.placement.name, choice)
        return choice

    def _chosen(self, asked: Asked) -> Choice:
        placement, choices = asked.placement, asked.choices
        try:
            return self._choose(asked)
        except ContextError as error:
            raise BadRequestError(f"context.{error.field}", error.value, error.rule) from None
        except DecisionError as error:
            raise BadRequestError("actions", len(choices.ids), str(error)) from None
        except Exception:
            log.exception("decision_failed", placement=placement.name)
            return default_choice(placement, POLICY_FAILED, group=asked.group)

    def _choose(self, asked: Asked) -> Choice:
        placement = asked.placement
        look = self._pipeline.look(asked.visitor, from_us(asked.now_us))
        described = look.context()
        segmentation = self._pipeline.segmentation
        slot = segmentation.slot(described.segment) if segmentation and described.segment else None
        context = placement.context_of(look, described, slot, asked.request.context)
        choices, refused = self._screened(asked, asked.choices, look, described.segment)
        if not choices.ids:
            return default_choice(placement, NO_ELIGIBLE, refused, asked.group)
        if placement.pricing is not None:
            return self._priced(asked, choices, refused, described.segment, context)
        categories, brands = choices.categories, choices.brands
        features = placement.pairs.encode(
            context,
            choices.static,
            0.0 if categories is None else look.affinities("category", categories),
            0.0 if brands is None else look.affinities("brand", brands),
        )
        costs = self._supply.costs(choices.ids)
        candidates = Candidates(choices.ids, features, costs)
        lineup, rng = placement.lineup, self._chance.of(asked.decision_id)
        scored = lineup.decide(context, candidates, rng)
        chosen = draw(scored.probabilities, rng.random())
        parts = None
        if lineup.is_watched and asked.group != CONTROL:
            stream = partial(self._chance.of, asked.decision_id)
            parts = lineup.parts(scored, chosen, context, candidates, stream)
        return Choice(
            choices,
            chosen,
            scored.probabilities,
            scored.expected,
            described.segment,
            context,
            features,
            refused,
            asked.group,
            costs=costs,
            parts=parts,
        )

    def _priced(
        self,
        asked: Asked,
        choices: Choices,
        refused: Mapping[str, Reason],
        segment: str | None,
        context: npt.NDArray[np.float32],
    ) -> Choice:
        """The placement's one action, with a price; for the control group with its own."""
        placement, group, pricing = asked.placement, asked.group, asked.placement.pricing
        assert pricing is not None  # noqa: S101  # as the caller knows
        history = self._shown.of(asked.visitor) if pricing.guards.remembers else NOTHING
        rng = self._chance.of(asked.decision_id)
        price = (
            pricing.fixed(context)
            if group == CONTROL
            else pricing.draw(context, history, asked.now_us, rng)
        )
        if price is None:
            guarded: dict[str, Reason] = {pricing.action.id: "guarded"}
            return default_choice(placement, NO_ELIGIBLE, guarded, group)
        return Choice(
            choices, 0, np.ones(1), price.expected, segment, context, price.features, refused,
            group, price=price,
        )  # fmt: skip

    def _screened(
        self, asked: Asked, choices: Choices, look: Look, segment: str | None
    ) -> tuple[Choices, Mapping[str, Reason]]:
        """The eligible candidates, and why the others are not, by id.

        The control group has one candidate: the baseline, under the same rules as for everybody.
        """
        refused = self._refused(asked, choices, look, segment)
        if asked.group == CONTROL:
            return self._held_out(asked, choices, refused, look, segment)
        if not refused:
            return choices, NONE
        reasons = {choices.ids[i]: refused[i] for i in sorted(refused)}
        return choices.without(refused), reasons

    def _held_out(
        self,
        asked: Asked,
        choices: Choices,
        refused: Mapping[int, Reason],
        look: Look,
        segment: str | None,
    ) -> tuple[Choices, Mapping[str, Reason]]:
        baseline = asked.baseline
        (name,) = baseline.ids
        reasons: dict[str, Reason] = {
            other: refused.get(i, "held_out") for i, other in enumerate(choices.ids)
        }
        if name in reasons:
            own = refused.get(choices.ids.index(name))
        else:  # the request brought other candidates along
            own = self._refused(asked, baseline, look, segment).get(0)
        if own is not None:
            return baseline.without((0,)), reasons | {name: own}
        reasons.pop(name, None)
        return baseline, reasons

    def _refused(
        self, asked: Asked, choices: Choices, look: Look, segment: str | None
    ) -> dict[int, Reason]:
        """Why candidates may not be shown, by position."""
        excluded = frozenset(asked.request.excluded)
        held_back = self._supply.held_back(choices.ids, asked.now_us)
        screen = choices.screen
        if screen is None:
            if not excluded and not held_back:
                return {}
            reasons = {**held_back, **dict.fromkeys(excluded, EXCLUDED)}
            return {i: reasons[name] for i, name in enumerate(choices.ids) if name in reasons}
        facts = asked.placement.facts
        context = asked.request.context
        return screen.refused(
            Situation(
                asked.now_us,
                facts.read(look, segment, context, asked.now_us) if screen.questions else (),
                look.consent,
                self._shown.of(asked.visitor) if screen.asks_history else NOTHING,
                excluded,
                held_back,
            )
        )


def _told(once: KeyedRequest, answer: dict[str, Any], row: DecisionRow) -> Keyed[int]:
    told = Told(to_json(answer), row.visitor)
    return Keyed(once, lambda _: told)


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
    return placement.among(list(made.values()))


def _candidate(action: CandidateAction) -> Action:
    return Action(
        id=action.id,
        kind=action.kind,
        payload=json.dumps(action.payload),
        category=action.category,
        brand=action.brand,
        features=tuple(action.features.items()),
        channel=action.channel,
        price_cents=action.price_cents,
        cost_cents=action.cost_cents,
        price_of=action.price_of,
    )
