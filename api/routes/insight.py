"""Seeing inside: the actions of a placement, a decision as it was, and its explanation."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from api.routes.access import needs, owner_of
from api.routes.hot import PROBLEMS
from api.routes.readings import REFUSALS, Current
from api.schemas.insight import ActionsResponse, ExplanationResponse
from api.schemas.record import RecordResponse

router = APIRouter(
    responses={**REFUSALS, 404: PROBLEMS[404], 422: PROBLEMS[422]},
    dependencies=[needs("read")],
    tags=["growth"],
)
Named = Annotated[str, Path(min_length=1, max_length=200)]
Owner = Annotated[str | None, Depends(owner_of)]


@router.get("/v1/placements/{name}/actions")
async def actions(engine: Current, name: Named) -> ActionsResponse:
    """What came of each action of a placement: pulls, reward, chance to be best, calibration."""
    return ActionsResponse(**engine.explainer.actions(name))


@router.get("/v1/decisions/{decision_id}")
async def decision(engine: Current, decision_id: Named, owner: Owner) -> RecordResponse:
    """A decision of the log: everything that went into it, and what came of it."""
    return RecordResponse(**await engine.records.decision(decision_id, owner))


@router.get("/v1/decisions/{decision_id}/explanation")
async def explanation(engine: Current, decision_id: Named, owner: Owner) -> ExplanationResponse:
    """Why the candidates of a decision score as they do, by the policy as it is now."""
    return ExplanationResponse(**await engine.explainer.decision(decision_id, owner))
