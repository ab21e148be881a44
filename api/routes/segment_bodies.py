"""Segments, refits and changes as they are answered."""

from collections.abc import Mapping, Sequence

from api.loop.clock import from_us
from api.loop.segment_views import Explained
from api.schemas.segments import (
    AbsenceBody,
    LeavingBody,
    MembershipBody,
    RefitBody,
    SegmentBody,
    TraitBody,
    TransitionBody,
    VisitorSegmentsResponse,
)
from api.settings import AbsenceSettings
from api.storage.base import RefitRow
from api.storage.memberships import TransitionRow
from segments.cluster.segmentation import Segment


def segment_body(segment: Segment, members: int | None = None) -> SegmentBody:
    """A segment."""
    return SegmentBody(
        id=segment.id,
        description=segment.description,
        size=segment.size,
        share=segment.share,
        value_cents=None if segment.value_cents is None else round(segment.value_cents),
        members=members,
    )


def absence_bodies(
    absences: Sequence[AbsenceSettings], sizes: Mapping[tuple[str, str], int]
) -> list[AbsenceBody]:
    """Time windows, and how many are in them."""
    return [
        AbsenceBody(
            name=one.name,
            feature=one.feature,
            days=one.days,
            members=sizes.get((one.name, one.name), 0),
        )
        for one in absences
    ]


def refit_body(row: RefitRow) -> RefitBody:
    """A refit."""
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


def transition_body(seq: int, row: TransitionRow) -> TransitionBody:
    """A change of segment."""
    return TransitionBody(
        seq=seq,
        visitor=row.visitor,
        grouping=row.grouping,
        source=row.source,
        target=row.target,
        at=from_us(row.at_us),
        cause=row.cause,
        version=row.version,
    )


def visitor_body(
    found: Explained, changes: Sequence[tuple[int, TransitionRow]]
) -> VisitorSegmentsResponse:
    """Where a visitor belongs, and how that came."""
    leaves = found.leaves
    return VisitorSegmentsResponse(
        visitor=found.visitor,
        segment=None if found.segment is None else segment_body(found.segment),
        memberships=[
            MembershipBody(grouping=grouping, segment=segment, since=since)
            for grouping, (segment, since) in found.memberships.items()
        ],
        traits=[
            TraitBody(
                feature=one.feature, own=one.own, segment=one.segment, everybody=one.everybody
            )
            for one in found.traits
        ],
        leaves=None if leaves is None else LeavingBody(target=leaves.target, at=leaves.at),
        transitions=[transition_body(seq, row) for seq, row in changes],
    )
