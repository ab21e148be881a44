"""Wire formats of seeing inside: what a policy knows of its actions, why it scores as it does."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field


class ActionBody(BaseModel):
    """One action, or one bin of prices, in numbers."""

    id: str = Field(description="Of the action; of a bin its first and last price in cents.")
    n: int = Field(description="Decisions learned from.")
    mean_reward: float | None = Field(description="Their mean reward; null without any.")
    low: float | None = Field(description="Lower end of the mean's 95 % interval.")
    high: float | None = Field(description="Upper end.")
    p_best: float | None = Field(
        description="Probability that it is the best for the average visitor; null where it is "
        "not known, as for more than 200 actions."
    )
    bias: float | None = Field(
        description="Mean of the standardised prediction errors: near 0 if predictions are right."
    )
    dispersion: float | None = Field(
        description="Mean square of the same: near 1 if the model knows how unsure it is."
    )
    configured: bool = Field(description="False for one that requests brought along, or of before.")


class ActionsResponse(BaseModel):
    """What came of each action of a placement."""

    placement: str
    policy_version: str
    of: Literal["actions", "prices"] = Field(
        description="`prices` at a placement with a price range, whose bins are listed."
    )
    actions: list[ActionBody]


class ContributionBody(BaseModel):
    """What one feature adds to an expected reward."""

    feature: str = Field(
        description="`context.` and a feature of the visitor or the request; `pair.` and one of "
        "the action; `rest` for what no single one accounts for."
    )
    value: float


class CandidateBody(BaseModel):
    """One candidate's score, taken apart."""

    id: str
    probability: float = Field(description="As it was logged.")
    expected: float = Field(
        description="Expected reward, by the policy as it is now; log-odds for `logistic_ts`."
    )
    deviation: float | None = Field(description="How unsure the policy is of it; null if unknown.")
    contributions: list[ContributionBody] = Field(
        description="Those furthest from 0, the largest first, eight at most."
    )


class ExplanationResponse(BaseModel):
    """A logged decision, explained by the policy as it is now."""

    decision_id: str
    placement: str
    decided_at: datetime
    action: str
    price_cents: int | None
    policy_version: str = Field(description="That decided.")
    explained_by: str = Field(description="That explains; it may have learned more since.")
    default: bool = Field(description="Whether the placement's default was shown.")
    reason: str | None = Field(description="Why.")
    n_candidates: int = Field(description="That were eligible.")
    candidates: list[CandidateBody] = Field(
        description="The chosen one first, then by expected reward, 20 at most; none where the "
        "default was shown and nothing was scored."
    )
