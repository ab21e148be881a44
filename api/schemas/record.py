"""Wire format of one decision, with everything that went into it and came of it."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field


class RecordedCandidate(BaseModel):
    """One candidate as the policy saw it."""

    id: str
    probability: float = Field(description="Exact; 0 for one that was refused.")
    reason: str = Field(description="`eligible`, or why it could not be chosen.")
    expected: float | None = Field(
        description="Reward that the policy expected of it. Null for one that was refused, and "
        "once the policy has learned more: `segue replay` makes the model of then."
    )
    cost: float | None = Field(description="Subtracted from its score for budgets; null for none.")
    features: dict[str, float] = Field(description="Of visitor and candidate; 0 is left out.")


class RecordedModel(BaseModel):
    """The policy that decided."""

    version: str
    configuration: str | None = Field(description="Fingerprint; null in rows of no known form.")
    learned_through: int | None = Field(description="Row of the reward log it had learned up to.")
    step: int | None = Field(
        description="That gave the policies of the placement their roles, as the audit numbers it."
    )
    parameters: dict[str, Any] | None = Field(
        description="Kind and parameters, those of a challenger with them; null where the log is "
        "older than it notes them."
    )
    is_current: bool = Field(description="Whether it decides today, having learned nothing since.")


class RecordedPrices(BaseModel):
    """The prices that one was drawn from, as the guards left them."""

    first_cents: int
    last_cents: int
    step_cents: int


class RecordedReward(BaseModel):
    """One row of the reward."""

    row: int = Field(description="Place in the reward log.")
    reward_id: str
    value: float = Field(description="What it adds; the decision's reward is the sum.")
    source: str = Field(
        description="`event`, `explicit`, `refund`, `shown` for an activation, or `window` for the "
        "default of a closed window."
    )
    worth: float | None = Field(description="What its event or report counts for by itself.")
    event: str | None = Field(description="Name of the event that it is about.")
    message_id: str | None = Field(description="Of that event.")
    received_at: datetime


class RecordedSettlement(BaseModel):
    """What an order used of budgets and inventories."""

    units: int
    cents: int | None
    at: datetime


class RecordResponse(BaseModel):
    """One decision of the log."""

    decision_id: str
    row: int = Field(description="Place in the log of decisions.")
    placement: str
    visitor: str
    owner: str | None = Field(description="Whose key asked; null for the shop's own.")
    decided_at: datetime
    closes_at: datetime = Field(description="End of its attribution window.")
    list_id: str | None
    slot: str | None
    action: str
    kind: str | None
    channel: str | None
    matched_on: str | None = Field(description="Value that conversions are matched on.")
    probability: float = Field(description="Of the action, or of a drawn price.")
    price_cents: int | None
    price_of: str | None
    density: float | None = Field(description="At a drawn price, per cent.")
    prices: RecordedPrices | None
    default: bool
    reason: str | None = Field(description="Why the default was shown.")
    group: Literal["control", "treatment"] | None
    segment: str | None
    context: dict[str, float] = Field(description="What the policy saw; 0 is left out.")
    candidates: list[RecordedCandidate] = Field(
        description="The chosen one first, then as they were offered, refused ones last."
    )
    policy: RecordedModel
    shown: bool | None = Field(
        description="Whether it was activated; null where the placement does not ask for it."
    )
    reward: float | None = Field(description="Sum of its rows; null until the first that counts.")
    rewards: list[RecordedReward]
    settlements: list[RecordedSettlement]
