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
