"""The policies of a placement: listed, added, given other roles, and audited."""

import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel

from api.encoding import too_large
from api.loop.clock import from_us
from api.loop.engine import Engine
from api.loop.judge import Judge
from api.loop.lineup import Model
from api.loop.placement import Placement
from api.loop.roster import MOST_STEPS, Because
from api.routes.access import holder, needs
from api.routes.hot import PROBLEMS, SCHEMAS
from api.routes.readings import REFUSALS, Current
from api.schemas.policies import (
    AddPolicyRequest,
    AuditResponse,
    EstimateResponse,
    KeptPolicyBody,
    MixRequest,
    PlacementPoliciesResponse,
    StepBody,
    StepRequest,
    TrialBody,
)
from api.storage.trial import Step
from api.worker.promotion import evidence_of

Body = TypeVar("Body", bound=BaseModel)
LARGEST_BODY = 32 * 2**20
"""Bytes: a model file in base64 is larger than any other body."""

MODEL_FILE = "application/zip"

BODIES: tuple[type[BaseModel], ...] = (AddPolicyRequest, StepRequest, MixRequest)
"""What is read here rather than by FastAPI, which would read it before it asks for a key."""

router = APIRouter(
    prefix="/v1/placements/{name}/policies",
    responses={**REFUSALS, 404: PROBLEMS[404], 422: PROBLEMS[422]},
    tags=["growth"],
)
Named = Annotated[str, Path(min_length=1, max_length=200)]
Actor = Annotated[str, holder("admin")]
CHANGES: dict[str, Any] = {
    "responses": {status: PROBLEMS[status] for status in (400, 409, 413, 503)},
}


def _described(body: type[BaseModel]) -> dict[str, Any]:
    """How the OpenAPI document tells of a body."""
    content = {"application/json": {"schema": {"$ref": f"{SCHEMAS}{body.__name__}"}}}
    return {"requestBody": {"required": body is not StepRequest, "content": content}}


@router.get("", dependencies=[needs("read")])
async def policies(engine: Current, name: Named) -> PlacementPoliciesResponse:
    """The policies of a placement, what each does, and what the gate has seen of the trial."""
    return await listed(engine, name)


@router.get("/audit", dependencies=[needs("read")])
async def audit(
    engine: Current, name: Named, limit: Annotated[int, Query(ge=1, le=MOST_STEPS)] = 100
) -> AuditResponse:
    """Every change of what the policies do, the last one first."""
    return await audited(engine, name, limit)


@router.get("/{policy}/estimate", dependencies=[needs("read")])
async def estimate(engine: Current, name: Named, policy: Named) -> EstimateResponse:
    """What a policy would have earned, from the probabilities that were logged of it."""
    return await estimated(engine, name, policy)


@router.get(
    "/{policy}/model",
    dependencies=[needs("admin")],
    response_class=Response,
    responses={200: {"content": {MODEL_FILE: {}}, "description": "A model file."}},
)
async def model(engine: Current, name: Named, policy: Named) -> Response:
    """A policy with what it has learned, as a file that can be added elsewhere."""
    return Response(await exported(engine, name, policy), media_type=MODEL_FILE)


@router.post("", status_code=201, openapi_extra=_described(AddPolicyRequest), **CHANGES)
async def add(
    engine: Current, name: Named, actor: Actor, request: Request
) -> PlacementPoliciesResponse:
    """Keep a policy, which does nothing yet."""
    return await added(engine, name, await _read(request, AddPolicyRequest), actor)


@router.post("/{policy}/shadow", openapi_extra=_described(StepRequest), **CHANGES)
async def shadow(
    engine: Current, name: Named, policy: Named, actor: Actor, request: Request
) -> PlacementPoliciesResponse:
    """Ask a policy at every decision from now on, and do not follow it."""
    return await changed(engine, name, "shadow", policy, await _read(request, StepRequest), actor)


@router.post("/{policy}/mix", openapi_extra=_described(MixRequest), **CHANGES)
async def mix(
    engine: Current, name: Named, policy: Named, actor: Actor, request: Request
) -> PlacementPoliciesResponse:
    """Give a policy a share of the decisions."""
    return await changed(engine, name, "mix", policy, await _read(request, MixRequest), actor)


@router.post("/{policy}/promote", openapi_extra=_described(StepRequest), **CHANGES)
async def promote(
    engine: Current, name: Named, policy: Named, actor: Actor, request: Request
) -> PlacementPoliciesResponse:
    """Make a policy the champion."""
    return await changed(engine, name, "promote", policy, await _read(request, StepRequest), actor)


@router.post("/{policy}/rollback", openapi_extra=_described(StepRequest), **CHANGES)
async def rollback(
    engine: Current, name: Named, policy: Named, actor: Actor, request: Request
) -> PlacementPoliciesResponse:
    """End a trial or a shadow; of a champion, bring back the one before."""
    return await changed(engine, name, "rollback", policy, await _read(request, StepRequest), actor)


async def listed(engine: Engine, name: str) -> PlacementPoliciesResponse:
    """What `GET /v1/placements/{name}/policies` answers."""
    placement = engine.roster.placement(name)
    return PlacementPoliciesResponse(
        placement=name,
        step=placement.lineup.step or 0,
        policies=[_kept(engine, placement, model) for model in placement.models.values()],
        trial=await _trial(engine, placement),
    )


async def estimated(engine: Engine, name: str, policy: str) -> EstimateResponse:
    """What `GET /v1/placements/{name}/policies/{policy}/estimate` answers."""
    placement = engine.roster.placement(name)
    model = engine.roster.model(placement, policy)
    found = await Judge(engine.store, engine.clock).of(placement, model)
    seen, tells = found.diagnosis, found.diagnosis.answerable
    return EstimateResponse(
        policy=model.key,
        rows=seen.n_rows,
        effective_rows=seen.effective_rows,
        answerable=tells,
        reasons=list(seen.reasons),
        value=found.value if tells else None,
        interval=(found.interval.low, found.interval.high) if tells else None,
        advantage=found.advantage if tells else None,
        advantage_interval=(found.advantage_interval.low, found.advantage_interval.high)
        if tells
        else None,
    )


async def exported(engine: Engine, name: str, policy: str) -> bytes:
    """What `GET /v1/placements/{name}/policies/{policy}/model` answers."""
    placement = engine.roster.placement(name)
    return engine.roster.export(placement, engine.roster.model(placement, policy))


async def audited(engine: Engine, name: str, limit: int) -> AuditResponse:
    """What `GET /v1/placements/{name}/policies/audit` answers."""
    steps = await engine.roster.steps(name, limit)
    return AuditResponse(placement=name, steps=[_told(step) for step in steps])


async def added(
    engine: Engine, name: str, asked: AddPolicyRequest, actor: str
) -> PlacementPoliciesResponse:
    """What adding a policy answers."""
    spec = None if asked.kind is None else {"kind": asked.kind, **asked.parameters}
    because = Because(actor, asked.reason)
    await engine.roster.add(name, asked.name, spec, asked.model, because)
    return await listed(engine, name)


async def changed(
    engine: Engine, name: str, what: str, policy: str, asked: StepRequest, actor: str
) -> PlacementPoliciesResponse:
    """What another role of a policy answers.

    Args:
        engine: The running one.
        name: Of the placement.
        what: `shadow`, `mix`, `promote` or `rollback`.
        policy: Name, or name@version.
        asked: For `mix` a `MixRequest`.
        actor: Who says so.
    """
    roster, because = engine.roster, Because(actor, asked.reason)
    if isinstance(asked, MixRequest):
        await roster.mix(name, policy, asked.share, because)
    else:
        moves: dict[str, Callable[[str, str, Because], Awaitable[Model]]] = {
            "shadow": roster.shadow,
            "promote": roster.promote,
            "rollback": roster.rollback,
        }
        await moves[what](name, policy, because)
    return await listed(engine, name)


def _kept(engine: Engine, placement: Placement, model: Model) -> KeptPolicyBody:
    lineup, row = placement.lineup, engine.roster.row(placement, model)
    shares = {"mixture": lineup.share, "champion": 1.0 - lineup.share}
    role = lineup.role(model)
    return KeptPolicyBody(
        policy=model.key,
        kind=model.policy.kind,
        parameters={name: value for name, value in model.spec.items() if name != "kind"},
        role=role,
        share=shares.get(role),
        is_from_file=row.file is not None,
        added_at=from_us(row.added_at_us),
        learned_through=model.learned_through,
        n_updates=model.policy.n_updates,
        n_failed=model.n_failed,
    )


async def _trial(engine: Engine, placement: Placement) -> TrialBody | None:
    watched = await engine.gatekeeper.look(placement.name)
    lineup, promotion = placement.lineup, engine.gatekeeper.promotion(placement.name)
    if watched is None or lineup.challenger is None or promotion is None:
        return None
    return TrialBody(
        champion=lineup.champion.key,
        challenger=lineup.challenger.key,
        share=lineup.share,
        since_step=lineup.trial,
        automatic=promotion.automatic,
        reason=watched.gate.reason,
        read_through=watched.read_through,
        **evidence_of(watched.gate),
    )


def _told(step: Step) -> StepBody:
    row = step.row
    return StepBody(
        step=step.step,
        at=from_us(row.at_us),
        what=row.what,
        policy=row.policy,
        share=row.share,
        actor=row.actor,
        reason=row.reason,
        evidence=None if row.evidence is None else json.loads(row.evidence),
        lineup=json.loads(row.lineup),
        decisions_through=step.decisions_through,
        rewards_through=step.rewards_through,
    )


async def _read(request: Request, kind: type[Body]) -> Body:
    """A body within its bound, after the key was checked."""
    chunks, size = [], 0
    async for chunk in request.stream():
        chunks.append(chunk)
        size += len(chunk)
        if size > LARGEST_BODY:
            raise too_large(LARGEST_BODY)
    body = b"".join(chunks)
    empty = kind is StepRequest and not body
    return kind.model_validate_json(b"{}" if empty else body)
