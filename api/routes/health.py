"""Whether the service lives, is ready, and what it counts."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api.problems import Problem
from api.routes.access import needs
from api.routes.hot import PROBLEMS
from api.routes.readings import REFUSALS, Current
from api.schemas.readings import HealthResponse

router = APIRouter(tags=["operations"])


@router.get("/healthz")
async def healthz() -> HealthResponse:
    """The process answers."""
    return HealthResponse(status="alive")


@router.get("/readyz", responses={503: PROBLEMS[503]})
async def readyz(engine: Current) -> HealthResponse:
    """The log is replayed and decisions are answered."""
    if not engine.ready:
        raise Problem(503, "not-ready", "the service is starting or stopping; try again")
    return HealthResponse(status="ready")


@router.get(
    "/metrics",
    dependencies=[needs("read")],
    responses={**REFUSALS, 200: {"content": {"text/plain": {}}}},
    response_class=Response,
)
async def metrics(engine: Current) -> Response:
    """Counters in Prometheus' text format."""
    engine.metrics.visitors.set(len(engine.pipeline))
    return Response(generate_latest(engine.metrics.registry), media_type=CONTENT_TYPE_LATEST)
