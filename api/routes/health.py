"""Whether the service lives, is ready, and what it counts."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api.loop.breaker import STATES
from api.problems import Problem
from api.routes.access import needs
from api.routes.hot import PROBLEMS
from api.routes.readings import REFUSALS, Current
from api.schemas.readings import HealthResponse, ReadyResponse

router = APIRouter(tags=["operations"])


@router.get("/healthz")
async def healthz() -> HealthResponse:
    """The process answers."""
    return HealthResponse(status="alive")


@router.get("/readyz", responses={503: PROBLEMS[503]})
async def readyz(engine: Current) -> ReadyResponse:
    """The log is replayed and decisions are answered, by default while the breaker is open."""
    if not engine.ready:
        raise Problem(503, "not-ready", "the service is starting or stopping; try again")
    return ReadyResponse(status="ready", breaker=engine.shown.breaker.state)


@router.get(
    "/metrics",
    dependencies=[needs("read")],
    responses={**REFUSALS, 200: {"content": {"text/plain": {}}}},
    response_class=Response,
)
async def metrics(engine: Current) -> Response:
    """Counters in Prometheus' text format."""
    engine.metrics.visitors.set(len(engine.pipeline))
    engine.metrics.breaker.set(STATES.index(engine.shown.breaker.state))
    engine.metrics.waiting.set(engine.store.n_waiting)
    engine.metrics.unlogged.set(len(engine.shown.backlog))
    return Response(generate_latest(engine.metrics.registry), media_type=CONTENT_TYPE_LATEST)
