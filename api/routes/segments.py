"""Segments: what they are and who is in them, who moved and why, and fitting them again."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from api.loop.clock import from_us, to_us
from api.loop.engine import Engine
from api.loop.errors import NotFoundError
from api.routes.access import needs
from api.routes.hot import PROBLEMS
from api.routes.readings import REFUSALS, Current
from api.routes.segment_bodies import (
    absence_bodies,
    refit_body,
    segment_body,
    transition_body,
    visitor_body,
)
from api.schemas.segments import (
    CompareResponse,
    FlowBody,
    FlowsResponse,
    LineageBody,
    MemberBody,
    MembersResponse,
    RefitRequest,
    RefitResponse,
    RefitsResponse,
    SegmentResponse,
    SegmentsResponse,
    TransitionsResponse,
    VisitorSegmentsResponse,
    WayBody,
)
from api.section import nearest
from api.settings import LEARNED
from api.worker.verdict import Request
from segments.features.schema import SCHEMA

router = APIRouter(responses={**REFUSALS, 422: PROBLEMS[422]}, tags=["growth"])
READ = needs("read")
NOT_FOUND: dict[int | str, dict[str, Any]] = {404: PROBLEMS[404]}
Named = Annotated[str, Path(min_length=1, max_length=200)]
Limit = Annotated[int, Query(ge=1, le=1_000, description="Rows at most.")]
MOST_SHOWN = 50
EPOCH, END = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)


@router.get("/v1/segments", dependencies=[READ])
async def segments(engine: Current) -> SegmentsResponse:
    """The segments in words, where they came from, and what came of the last refit."""
    segmentation, refitter = engine.pipeline.segmentation, engine.refitter
    live = () if segmentation is None else segmentation.segments
    lineage = () if segmentation is None else segmentation.lineage
    sizes = engine.members.sizes()
    return SegmentsResponse(
        version=None if segmentation is None else segmentation.version,
        fitting=refitter.fitting,
        problem=refitter.problem,
        family=None if refitter.recipe is None else refitter.recipe.family,
        churn=None if segmentation is None else segmentation.churn,
        last_refit=None if refitter.last is None else refit_body(refitter.last),
        segments=[segment_body(one, sizes.get((LEARNED, one.id), 0)) for one in live],
        lineage=[
            LineageBody(
                segment_id=line.segment_id,
                change=line.change,
                sources=list(line.sources),
                overlap=line.overlap,
            )
            for line in lineage
        ],
        absences=absence_bodies(engine.settings.segments.absences, sizes),
    )


@router.post("/v1/segments/refit", status_code=202, dependencies=[needs("admin")])
async def refit(engine: Current, asked: RefitRequest | None = None) -> RefitResponse:
    """Fit the segments again, off the request path; `last_refit` says what came of it."""
    asked = asked or RefitRequest()
    engine.refitter.request(Request(asked.dry_run, asked.force))
    return RefitResponse(status="accepted")


@router.get("/v1/segments/refits", dependencies=[READ])
async def refits(engine: Current, limit: Limit = 100) -> RefitsResponse:
    """The latest refits, also those that were not adopted."""
    return RefitsResponse(refits=[refit_body(row) for row in await engine.store.refits(limit)])


@router.get("/v1/segments/compare", dependencies=[READ], responses=NOT_FOUND)
async def compare(
    engine: Current, old: Annotated[int, Query(ge=1)], new: Annotated[int, Query(ge=1)]
) -> CompareResponse:
    """What two fits call the visitors of now: their model churn, and which way it goes."""
    found = await engine.segment_views.compare(old, new)
    ways = sorted(found.flows.items(), key=lambda way: (-way[1], way[0]))
    return CompareResponse(
        visitors=found.n_visitors,
        churn=found.churn,
        ways=[WayBody(old=was, new=became, visitors=n) for (was, became), n in ways],
    )


@router.get("/v1/segments/transitions", dependencies=[READ])
async def transitions(
    engine: Current,
    after: Annotated[int, Query(ge=0, description="Place of the last one that is known.")] = 0,
    limit: Limit = 100,
) -> TransitionsResponse:
    """Who changed segment, in the order of the log: ask again with `next` to follow it."""
    rows = await engine.store.transitions_after(after, limit)
    return TransitionsResponse(
        transitions=[transition_body(seq, row) for seq, row in rows],
        next=rows[-1][0] if rows else after,
    )


@router.get("/v1/segments/flows", dependencies=[READ])
async def flows(
    engine: Current,
    since: Annotated[datetime, Query(description="From when on.")] = EPOCH,
    until: Annotated[datetime, Query(description="Until before when.")] = END,
) -> FlowsResponse:
    """How many went from where to where in a time, and why."""
    rows = await engine.store.flows(_us(since), _us(until))
    return FlowsResponse(
        flows=[
            FlowBody(grouping=grouping, source=source, target=target, cause=cause, visitors=n)
            for grouping, source, target, cause, n in rows
        ]
    )


@router.get("/v1/segments/{segment}", dependencies=[READ], responses=NOT_FOUND)
async def segment(engine: Current, segment: Named) -> SegmentResponse:
    """One segment, with what its members are like."""
    live = engine.pipeline.segmentation
    found = next((one for one in (live.segments if live else ()) if one.id == segment), None)
    if found is None:
        raise _unknown(engine, segment)
    body = segment_body(found, engine.members.sizes().get((LEARNED, segment), 0))
    means = zip(SCHEMA.readings, found.means, strict=True)
    return SegmentResponse(
        **body.model_dump(),
        means={reading.name: reading.natural(mean) for reading, mean in means},
    )


@router.get("/v1/segments/{segment}/members", dependencies=[READ], responses=NOT_FOUND)
async def members(
    engine: Current,
    segment: Named,
    after: Annotated[str, Query(max_length=200, description="`next` of the page before.")] = "",
    limit: Limit = 100,
) -> MembersResponse:
    """Who is in a segment or a time window, page by page."""
    absences = {one.name for one in engine.settings.segments.absences}
    live = engine.pipeline.segmentation
    known = {one.id for one in (live.segments if live else ())}
    if segment not in absences | known:
        raise _unknown(engine, segment)
    grouping = LEARNED if segment in known else segment
    rows = await engine.store.members(grouping, segment, after, limit)
    return MembersResponse(
        members=[MemberBody(visitor=row.visitor, since=from_us(row.since_us)) for row in rows],
        next=rows[-1].visitor if len(rows) == limit else None,
    )


@router.get("/v1/visitors/{visitor}/segments", dependencies=[READ], responses=NOT_FOUND)
async def of_visitor(engine: Current, visitor: Named) -> VisitorSegmentsResponse:
    """Which segments a visitor is in, why, since when, and until when by doing nothing."""
    found = engine.segment_views.explain(visitor)
    ids = engine.pipeline.ids_of(found.visitor)
    return visitor_body(found, await engine.store.last_transitions(ids, MOST_SHOWN))


def _unknown(engine: Engine, segment: str) -> NotFoundError:
    live = engine.pipeline.segmentation
    known = [one.id for one in (live.segments if live else ())]
    known += [one.name for one in engine.settings.segments.absences]
    there = f"there are {', '.join(known)}" if known else "there are none before the first fit"
    return NotFoundError("segment", segment, f"no such segment; {there}{nearest(segment, known)}")


def _us(moment: datetime) -> int:
    return to_us(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
