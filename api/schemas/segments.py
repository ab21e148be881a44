"""Wire formats of segments: what they are, who is in them, who moved and why."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field


class SegmentBody(BaseModel):
    """One segment in words."""

    id: str
    description: str
    size: int = Field(description="Visitors in it at the fit.")
    share: float
    value_cents: int | None
    members: int | None = Field(None, description="Visitors in it now.")


class LineageBody(BaseModel):
    """Where a segment of this version came from."""

    segment_id: str
    change: str
    sources: list[str]
    overlap: float


class RefitBody(BaseModel):
    """One refit, and what came of it."""

    at: datetime
    family: str
    n_segments: int | None = Field(description="As configured; null for what the family finds.")
    outcome: str = Field(description="`adopted`, `refused`, `failed` or `dry-run`.")
    version: int | None = Field(description="Of the segmentation that was adopted.")
    visitors: int
    churn: float | None = Field(
        description="Share of the visitors called otherwise than by the segmentation in use, "
        "for the same behaviour; null for a first fit."
    )
    reason: str | None


class RefitRequest(BaseModel):
    """How to refit; without a body, as the configuration says."""

    model_config = ConfigDict(extra="forbid")

    dry_run: bool = Field(False, description="Only say what would come of it.")
    force: bool = Field(False, description="Adopt it whatever its churn.")


class RefitResponse(BaseModel):
    """A refit was asked for."""

    status: str


class SegmentsResponse(BaseModel):
    """The segmentation in use."""

    version: int | None = Field(description="null before the first fit.")
    fitting: bool = Field(description="Whether a refit is under way.")
    problem: str | None = Field(description="Why the last refit was not adopted; null if it was.")
    family: str | None
    churn: float | None = Field(
        description="Share of the visitors whom it calls otherwise than the version before did, "
        "for the same behaviour; null for a first fit."
    )
    last_refit: RefitBody | None = Field(description="Also one that was not adopted.")
    segments: list[SegmentBody]
    lineage: list[LineageBody]
    absences: list["AbsenceBody"] = Field(description="Time windows, as configured.")


class AbsenceBody(BaseModel):
    """A time window."""

    name: str
    feature: str
    days: float
    members: int = Field(description="Visitors in it now.")


class SegmentResponse(SegmentBody):
    """One segment, with what its members are like."""

    means: dict[str, float] = Field(
        description="Of each feature over the members at the fit, in natural units (days, cents)."
    )


class RefitsResponse(BaseModel):
    """The latest refits, the newest first."""

    refits: list[RefitBody]


class MemberBody(BaseModel):
    """A member of a segment."""

    visitor: str
    since: datetime


class MembersResponse(BaseModel):
    """The next members of a segment, in the order of their ids."""

    members: list[MemberBody]
    next: str | None = Field(description="`after` of the next page; null at the end.")


class TransitionBody(BaseModel):
    """A visitor changed segment."""

    seq: int = Field(description="Place in the log of changes.")
    visitor: str
    grouping: str = Field(description="`segments`, or the name of a time window.")
    source: str | None = Field(description="null for a visitor met for the first time.")
    target: str | None = Field(description="null for one merged into another.")
    at: datetime
    cause: str = Field(description="`event`, `time` or `refit`.")
    version: int | None = Field(description="Of the segmentation in use.")


class TransitionsResponse(BaseModel):
    """The next changes of segment, in the order of the log."""

    transitions: list[TransitionBody]
    next: int = Field(description="`after` of the next page, also when nothing is new yet.")


class FlowBody(BaseModel):
    """How many visitors went one way."""

    grouping: str
    source: str | None
    target: str | None
    cause: str
    visitors: int


class FlowsResponse(BaseModel):
    """Ways between segments in a time, the fullest first."""

    flows: list[FlowBody]


class WayBody(BaseModel):
    """How many visitors two fits call so."""

    old: str
    new: str
    visitors: int


class CompareResponse(BaseModel):
    """Two fits on the visitors of now: what differs is the model, nothing else."""

    visitors: int
    churn: float = Field(description="Share of the visitors whom the two call otherwise.")
    ways: list[WayBody]


class TraitBody(BaseModel):
    """A feature of a visitor beside the means of their segment and of everybody."""

    feature: str
    own: float
    segment: float
    everybody: float


class MembershipBody(BaseModel):
    """A visitor is in a segment."""

    grouping: str
    segment: str
    since: datetime | None


class LeavingBody(BaseModel):
    """How a visitor leaves their segment by doing nothing."""

    target: str | None
    at: datetime


class VisitorSegmentsResponse(BaseModel):
    """Which segments a visitor is in, and why."""

    visitor: str = Field(description="The id in use, after merges.")
    segment: SegmentBody | None = Field(description="By the profile of this moment.")
    memberships: list[MembershipBody] = Field(
        description="As the log of changes has them: with hysteresis, a quarter second behind."
    )
    traits: list[TraitBody] = Field(description="What sets them apart, the most telling first.")
    leaves: LeavingBody | None = Field(description="null for never.")
    transitions: list[TransitionBody] = Field(description="Their last changes, up to 50.")
