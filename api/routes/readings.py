"""What can be looked at: visitors, policies."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path

from api.loop.engine import Engine
from api.loop.errors import NotFoundError
from api.routes.access import engine_of, needs
from api.routes.hot import PROBLEMS
from api.schemas.readings import (
    PoliciesResponse,
    PolicyBody,
    VisitorResponse,
)

REFUSALS: dict[int | str, dict[str, Any]] = {status: PROBLEMS[status] for status in (401, 403, 429)}
router = APIRouter(responses=REFUSALS)
Current = Annotated[Engine, Depends(engine_of)]


@router.get(
    "/v1/visitors/{visitor}",
    dependencies=[needs("read")],
    responses={404: PROBLEMS[404], 422: PROBLEMS[422]},
    tags=["growth"],
)
async def visitor(
    engine: Current, visitor: Annotated[str, Path(min_length=1, max_length=200)]
) -> VisitorResponse:
    """What is known of a visitor."""
    found = described(engine, visitor)
    if found is None:
        raise NotFoundError("visitor", visitor, "no event of this visitor was ever received")
    return found


def described(engine: Engine, visitor: str) -> VisitorResponse | None:
    """A visitor's profile; None for a stranger."""
    now = engine.clock.now()
    summary = engine.pipeline.profile_summary(visitor, now)
    if summary is None:
        return None
    context = engine.pipeline.describe(visitor, now)
    names = engine.pipeline.feature_names
    return VisitorResponse(
        visitor=summary.visitor,
        segment=summary.segment,
        events=summary.events,
        sessions=summary.sessions,
        orders=summary.orders,
        revenue_cents=summary.revenue_cents,
        first_seen=summary.first_seen,
        last_seen=summary.last_seen,
        last_order=summary.last_order,
        categories=dict(summary.top_categories),
        brands=dict(summary.top_brands),
        features=dict(zip(names, context.vector.tolist(), strict=True)),
    )


@router.get("/v1/policies", dependencies=[needs("read")], tags=["growth"])
async def policies(engine: Current) -> PoliciesResponse:
    """Each placement's policy: how far it has learned, and what it earned."""
    last_reward = await engine.store.last_reward()
    return PoliciesResponse(
        policies=[
            PolicyBody(
                placement=placement.name,
                kind="mixture" if placement.lineup.challenger else placement.policy.kind,
                version=placement.version,
                learned_through=placement.learned_through,
                n_updates=placement.policy.n_updates,
                n_rewarded=placement.n_rewarded,
                reward_sum=placement.reward_sum,
            )
            for placement in engine.placements.values()
        ],
        rewards_pending=max(0, last_reward - engine.read_through),
    )
