"""Wire formats of what can be looked at."""

from datetime import datetime

from pydantic import BaseModel, Field


class VisitorResponse(BaseModel):
    """What is known of a visitor, and what the policies see of it."""

    visitor: str = Field(description="The id in use, after merges.")
    segment: str | None
    events: int
    sessions: int
    orders: int
    revenue_cents: int
    first_seen: datetime
    last_seen: datetime
    last_order: datetime | None
    categories: dict[str, float] = Field(description="Highest category affinities, best first.")
    brands: dict[str, float]
    features: dict[str, float]


class SegmentBody(BaseModel):
    """One segment in words."""

    id: str
    description: str
    size: int
    share: float
    value_cents: int | None


class LineageBody(BaseModel):
    """Where a segment of this version came from."""

    segment_id: str
    change: str
    sources: list[str]
    overlap: float


class SegmentsResponse(BaseModel):
    """The segmentation in use."""

    version: int | None = Field(description="null before the first fit.")
    fitting: bool = Field(description="Whether a refit is under way.")
    problem: str | None = Field(description="Why the last fit came to nothing; null if it did not.")
    segments: list[SegmentBody]
    lineage: list[LineageBody]


class PolicyBody(BaseModel):
    """One placement's policy."""

    placement: str
    kind: str = Field(description="`mixture` where a challenger takes a share.")
    version: str
    learned_through: int = Field(description="Place in the log of the last reward learned.")
    n_updates: int = Field(description="Rewards learned by the model as it is configured now.")
    n_rewarded: int = Field(description="Decisions with at least one reward.")
    reward_sum: float = Field(description="What they earned.")


class PoliciesResponse(BaseModel):
    """Every placement's policy."""

    policies: list[PolicyBody]
    rewards_pending: int = Field(description="Rows of the reward log that are not yet learned.")


class HealthResponse(BaseModel):
    """Whether the service lives, or is ready."""

    status: str


class ReadyResponse(HealthResponse):
    """Whether the service is ready, and whether its log is."""

    breaker: str = Field(
        description="`closed`; `open` while the log cannot be written, `half-open` on trial."
    )


class RefitResponse(BaseModel):
    """A refit was asked for."""

    status: str
