"""Segments: what they are, where they came from, and fitting them again."""

from fastapi import APIRouter

from api.loop.clock import from_us
from api.routes.access import needs
from api.routes.hot import PROBLEMS
from api.routes.readings import REFUSALS, Current
from api.schemas.readings import (
    LineageBody,
    RefitBody,
    RefitRequest,
    RefitResponse,
    SegmentBody,
    SegmentsResponse,
)
from api.storage.base import RefitRow
from api.worker.verdict import Request
from segments.cluster.segmentation import Segment

router = APIRouter(responses=REFUSALS, tags=["growth"])


@router.get("/v1/segments", dependencies=[needs("read")])
async def segments(engine: Current) -> SegmentsResponse:
    """The segments in words, and where they came from."""
    segmentation, refitter = engine.pipeline.segmentation, engine.refitter
    live = () if segmentation is None else segmentation.segments
    lineage = () if segmentation is None else segmentation.lineage
    return SegmentsResponse(
        version=None if segmentation is None else segmentation.version,
        fitting=refitter.fitting,
        problem=refitter.problem,
        family=None if refitter.recipe is None else refitter.recipe.family,
        churn=None if segmentation is None else segmentation.churn,
        last_refit=None if refitter.last is None else refit_body(refitter.last),
        segments=[segment_body(segment) for segment in live],
        lineage=[
            LineageBody(
                segment_id=line.segment_id,
                change=line.change,
                sources=list(line.sources),
                overlap=line.overlap,
            )
            for line in lineage
        ],
    )


@router.post(
    "/v1/segments/refit",
    status_code=202,
    dependencies=[needs("admin")],
    responses={422: PROBLEMS[422]},
)
async def refit(engine: Current, asked: RefitRequest | None = None) -> RefitResponse:
    """Fit the segments again, off the request path; `last_refit` says what came of it."""
    asked = asked or RefitRequest()
    engine.refitter.request(Request(asked.dry_run, asked.force))
    return RefitResponse(status="accepted")


def segment_body(segment: Segment) -> SegmentBody:
    """A segment as it is answered."""
    return SegmentBody(
        id=segment.id,
        description=segment.description,
        size=segment.size,
        share=segment.share,
        value_cents=None if segment.value_cents is None else round(segment.value_cents),
    )


def refit_body(row: RefitRow) -> RefitBody:
    """A refit as it is answered."""
    return RefitBody(
        at=from_us(row.at_us),
        family=row.family,
        n_segments=row.n_segments,
        outcome=row.outcome,
        version=row.version,
        visitors=row.n_visitors,
        churn=row.churn,
        reason=row.reason,
    )
