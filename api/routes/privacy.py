"""One person's data: handed out, or erased."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Path

from api.loop.clock import from_us
from api.loop.engine import Engine
from api.routes.access import needs
from api.routes.hot import PROBLEMS
from api.routes.readings import REFUSALS, Current, described
from api.schemas.privacy import ExportResponse, ReceiptResponse

router = APIRouter(
    responses={**REFUSALS, 422: PROBLEMS[422], 503: PROBLEMS[503]},
    dependencies=[needs("privacy")],
    tags=["privacy"],
)
# Ids may have slashes in them, and whoever has such an id has the same rights.
VisitorId = Annotated[str, Path(min_length=1, max_length=200)]


@router.get("/v1/visitors/{visitor:path}/export")
async def export(engine: Current, visitor: VisitorId) -> ExportResponse:
    """Everything that is held of a person, under all of their ids; empty for a stranger."""
    person, rows = await engine.eraser.export(visitor)
    events = [
        {"received_at": _moment(row["received_at_us"]), **json.loads(row["body"])}
        for row in rows["events"]
    ]
    return ExportResponse(
        visitor=person.visitor,
        ids=list(person.ids),
        profile=described(engine, visitor),
        consent=_consent(engine, visitor, events),
        events=events,
        decisions=[_told(row) for row in rows["decisions"]],
        rewards=[_told(row) for row in rows["rewards"]],
        transitions=[_told(row) for row in rows["transitions"]],
        dead_letters=[_told(row) for row in rows["dead_letters"]],
    )


@router.delete("/v1/visitors/{visitor:path}")
async def erase(engine: Current, visitor: VisitorId) -> ReceiptResponse:
    """Erase a person, under all of their ids; a second time answers the same receipt."""
    receipt, found = await engine.eraser.erase(visitor)
    return ReceiptResponse(
        receipt_id=receipt.receipt_id,
        erased_at=from_us(receipt.erased_at_us),
        repeated=not found,
        rows=receipt.rows,
        models=receipt.models,
    )


def _consent(engine: Engine, visitor: str, events: list[dict[str, Any]]) -> dict[str, bool]:
    look = engine.pipeline.look(visitor, engine.clock.now())
    named = {purpose for event in events for purpose, _ in event.get("consent", ())} | {"email"}
    said = {purpose: look.consent(purpose) for purpose in sorted(named)}
    return {purpose: word for purpose, word in said.items() if word is not None}


def _told(row: dict[str, Any]) -> dict[str, Any]:
    """A row as a person reads it: moments for microseconds, JSON taken apart."""
    told = {}
    for name, value in row.items():
        if name.endswith("_us"):
            told[name.removesuffix("_us")] = _moment(value)
        elif name in ("candidates", "reasons") and value is not None:
            told[name] = json.loads(value)
        else:
            told[name] = value
    return told


def _moment(us: int) -> str:
    return from_us(us).isoformat()
