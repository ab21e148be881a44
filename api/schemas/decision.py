"""The decision's wire format: who is here, and what should we do next?"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    WithJsonSchema,
)

from api.rule_settings import Cents, Channel, Kind
from policy.catalog.eligibility import Reason
from policy.slots.base import MOST_SLOTS

MAX_CANDIDATES = 10_000


def printable(value: str) -> str:
    """The text, unless it holds a NUL, which no log can show."""
    if "\x00" in value:
        raise ValueError("must not contain the character NUL")
    return value


def _countable(value: datetime) -> datetime:
    if not 1970 <= value.year <= 2099:  # as for events
        raise ValueError("must lie between 1970 and 2099")
    return value


Id = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(printable)]
Moment = Annotated[AwareDatetime, AfterValidator(_countable)]
# Checked by the placement's encoder, which knows the field and says what it may hold.
FeatureValue = Annotated[
    Any, WithJsonSchema({"type": ["boolean", "number", "string", "null"], "title": "Feature"})
]


class Wire(BaseModel):
    """Base of every wire format: unknown fields and other types are refused by name."""

    model_config = ConfigDict(extra="forbid", strict=True)


class CandidateAction(Wire):
    """An action that the request brings along, instead of one of the catalog."""

    id: Id = Field(description="Unique among the candidates.")
    kind: Kind = "content"
    category: Id | None = Field(None, description="Category that it shows.")
    brand: Id | None = Field(None, description="Brand that it shows.")
    features: dict[Id, FiniteFloat] = Field(
        default_factory=dict, description="The numbers that the placement's actions declare."
    )
    payload: dict[str, Any] = Field(default_factory=dict, description="Returned as is.")
    channel: Channel | None = Field(None, description="How it reaches the visitor.")
    price_cents: Cents | None = Field(None, description="The price that it shows.")
    cost_cents: Cents | None = Field(None, description="What it costs the shop.")
    price_of: Id | None = Field(None, description="What it is the price of.")


class SlotRequest(Wire):
    """One place of a list."""

    id: Id = Field(description="Unique in its list.")
    context: dict[str, FeatureValue] = Field(
        default_factory=dict,
        max_length=1000,
        description="Features that are of this slot, say its position; they come before those of "
        "the request.",
    )
    excluded: list[Id] = Field(
        default_factory=list, max_length=MAX_CANDIDATES, description="Ids not to draw for it."
    )
    baseline: Id | None = Field(
        None,
        description="Candidate that it shows when nothing eligible is left, and to the control "
        "group.",
    )


class DecisionRequest(Wire):
    """A storefront asks for the next best action of one visitor."""

    visitor: Id = Field(description="User id, or the anonymous id of somebody not yet known.")
    placement: Id = Field(description="Name of a placement in `segue.toml`.")
    context: dict[str, FeatureValue] = Field(
        default_factory=dict,
        max_length=1000,
        description="The features that the placement declares.",
    )
    actions: list[CandidateAction] | None = Field(
        None,
        min_length=1,
        max_length=MAX_CANDIDATES,
        description="Candidates for this call; without them, the placement's own actions.",
    )
    excluded: list[Id] = Field(
        default_factory=list, max_length=MAX_CANDIDATES, description="Ids not to choose this time."
    )
    slots: list[SlotRequest] | None = Field(
        None,
        min_length=1,
        max_length=MOST_SLOTS,
        description="Places to fill with different actions, the first one first.",
    )
    timestamp: Moment | None = Field(
        None, description='When, in replay mode only (`service.clock = "replay"`).'
    )


class RankedAction(Wire):
    """A candidate with the probability that it had of being chosen."""

    id: str
    probability: float = Field(ge=0, le=1)
    reason: Reason = Field(description="`eligible`, or why it had no chance.")


class ChosenAction(Wire):
    """The action to show."""

    id: str
    kind: str
    payload: dict[str, Any]


class DecisionResponse(Wire):
    """The next best action, durable in the log before it is answered."""

    decision_id: str | None = Field(
        description="Quote it with rewards; null when the decision could not be logged."
    )
    action: ChosenAction
    probability: float = Field(
        ge=0, le=1, description="Exact probability of the action, and of a price that was drawn."
    )
    price_cents: int | None = Field(description="The price to show, where the action has one.")
    density: float | None = Field(
        ge=0, description="Exact density at the price, per cent, where it was drawn out of a range."
    )
    ranking: list[RankedAction] = Field(
        description="The chosen action first, the others by expected reward, refused ones last."
    )
    segment: str | None = Field(description="Segment of the visitor, once segments are fitted.")
    group: Literal["control", "treatment"] | None = Field(
        description="Of the visitor, at a placement with a holdout."
    )
    policy_version: str = Field(
        description="`placement.configuration@n`: the log of rewards is learned up to row n."
    )
    default: bool = Field(description="True when the placement's default was shown, not a choice.")
    reason: str | None = Field(description="Why the default was shown.")


class SlotResponse(Wire):
    """What a slot shows."""

    slot: str
    decision: DecisionResponse | None = Field(description="Null when it stays empty.")
    reason: str | None = Field(description="Why it stays empty.")


class ListResponse(Wire):
    """A list: as many decisions as slots that show something, each with its own rewards."""

    list_id: str | None = Field(description="Null when the list could not be logged.")
    probability: float = Field(
        ge=0, le=1, description="Exact probability of the whole list: the product of its slots'."
    )
    slots: list[SlotResponse]
