"""What endpoints of webhooks were told, and that they be told again."""

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Query

from api.loop.clock import from_us
from api.loop.engine import Engine
from api.loop.errors import NotFoundError
from api.routes.access import needs
from api.routes.hot import PROBLEMS
from api.routes.readings import REFUSALS, Current
from api.schemas.webhooks import (
    DeliveriesResponse,
    DeliveryInfo,
    RedeliverRequest,
    RedeliverResponse,
)
from api.storage.outbox_log import DeliveryRow, deliveries

router = APIRouter(
    prefix="/v1/deliveries",
    responses={**REFUSALS, 422: PROBLEMS[422], 503: PROBLEMS[503]},
    tags=["operations"],
)
MOST = 1_000


@router.get("", dependencies=[needs("read")])
async def list_deliveries(
    engine: Current,
    status: Literal["waiting", "delivered", "dead"] | None = None,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 100,
) -> DeliveriesResponse:
    """The latest webhooks to endpoints, without their bodies."""
    database = engine.settings.service.database
    rows = await asyncio.to_thread(deliveries, database, status, limit)
    return DeliveriesResponse(deliveries=[_told(row) for row in rows])


def _told(row: DeliveryRow) -> DeliveryInfo:
    told = row._asdict()
    moments = {name: from_us(told.pop(f"{name}_us")) for name in ("created_at", "due_at")}
    return DeliveryInfo.model_validate({**told, **moments})


@router.post("/redeliver", dependencies=[needs("admin")], responses={404: PROBLEMS[404]})
async def redeliver(engine: Current, request: RedeliverRequest) -> RedeliverResponse:
    """Send again what is dead, or one message; under the same ids."""
    return RedeliverResponse(redelivered=await redelivered(engine, request))


async def redelivered(engine: Engine, request: RedeliverRequest) -> int:
    """How many deliveries are waiting again.

    Raises:
        NotFoundError: There is no such endpoint.
    """
    known = [one.name for one in engine.settings.webhook_endpoints]
    if request.endpoint is not None and request.endpoint not in known:
        rule = f"must be one of [[webhook_endpoints]]: {', '.join(known) or 'none'}"
        raise NotFoundError("endpoint", request.endpoint, rule)
    now_us = engine.clock.now_us()
    return await engine.store.redeliver(request.endpoint, request.message_id, now_us)
