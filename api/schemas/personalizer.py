"""Azure Personalizer's wire formats, as its clients send and read them.

Fields that are not known are let be: clients of several versions send more than is of use here.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat

from api.schemas.decision import MAX_CANDIDATES, Id, printable
from policy.reward.spec import LARGEST_REWARD
from policy.slots.base import MOST_SLOTS

EventId = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(printable)]
Features = Annotated[
    list[dict[str, Any]], Field(description="Objects of any nesting, taken as one.")
]
Reported = Annotated[FiniteFloat, Field(ge=-LARGEST_REWARD, le=LARGEST_REWARD)]


class PersonalizerWire(BaseModel):
    """Base of every format of Personalizer."""

    model_config = ConfigDict(strict=True, extra="ignore")


class RankableAction(PersonalizerWire):
    """An action with what is known of it."""

    id: Id
    features: Features | None = None


class RankableSlot(PersonalizerWire):
    """A place on the page."""

    id: Id
    features: Features | None = None
    excludedActions: list[Id] | None = Field(None, max_length=MAX_CANDIDATES)  # noqa: N815  # theirs
    baselineAction: Id = Field(  # noqa: N815  # theirs
        description="What the slot shows when nothing can be chosen, and to the control group."
    )


class _AskedFor(PersonalizerWire):
    contextFeatures: Features | None = None  # noqa: N815  # theirs
    actions: list[RankableAction] = Field(
        min_length=1, max_length=MAX_CANDIDATES, description="The first one is the baseline."
    )
    excludedActions: list[Id] | None = Field(None, max_length=MAX_CANDIDATES)  # noqa: N815  # theirs
    eventId: EventId | None = Field(None, description="Names the event.")  # noqa: N815  # theirs
    deferActivation: bool | None = Field(  # noqa: N815  # theirs
        None, description="True where it may not be shown: it counts only once it is activated."
    )


class RankRequest(_AskedFor):
    """Which of these actions should be shown?"""


class MultiSlotRankRequest(_AskedFor):
    """Which of these actions should each slot show?"""

    slots: list[RankableSlot] = Field(min_length=1, max_length=MOST_SLOTS)


class RankedAction(PersonalizerWire):
    """An action with the probability that it had."""

    id: str
    probability: float = Field(ge=0, le=1)


class RankResponse(PersonalizerWire):
    """The action to show."""

    ranking: list[RankedAction] = Field(
        description="The chosen action first, the others by expected reward, refused ones last."
    )
    eventId: str = Field(description="Quote it with the reward.")  # noqa: N815  # theirs
    rewardActionId: str = Field(description="The action to show.")  # noqa: N815  # theirs


class RankedSlot(PersonalizerWire):
    """What a slot shows; without `rewardActionId`, nothing."""

    id: str
    rewardActionId: str | None = None  # noqa: N815  # theirs


class MultiSlotRankResponse(PersonalizerWire):
    """What each slot shows."""

    eventId: str  # noqa: N815  # theirs
    slots: list[RankedSlot]


class EventReward(PersonalizerWire):
    """What became of an event."""

    value: Reported


class SlotReward(PersonalizerWire):
    """What became of one slot of an event."""

    slotId: Id  # noqa: N815  # theirs
    value: Reported


class MultiSlotReward(PersonalizerWire):
    """What became of slots of an event."""

    reward: list[SlotReward] = Field(min_length=1, max_length=MOST_SLOTS)


class ServiceConfiguration(PersonalizerWire):
    """`/configurations/service`: what `segue.toml` says of the placement."""

    rewardWaitTime: str = Field(description="ISO 8601 duration.")  # noqa: N815  # theirs
    defaultReward: float  # noqa: N815  # theirs
    rewardAggregation: Literal["earliest", "sum"]  # noqa: N815  # theirs
    explorationPercentage: float = Field(ge=0, le=1)  # noqa: N815  # theirs
    modelExportFrequency: str = Field(description="ISO 8601 duration.")  # noqa: N815  # theirs
    logRetentionDays: int = Field(description="-1: for ever.")  # noqa: N815  # theirs
    modelRetrainDays: int = 0  # noqa: N815  # theirs
    learningMode: Literal["Online"] = "Online"  # noqa: N815  # theirs
    isAutoOptimizationEnabled: bool = False  # noqa: N815  # theirs
    logMirrorEnabled: bool = False  # noqa: N815  # theirs


class PolicyConfiguration(PersonalizerWire):
    """`/configurations/policy`: which learner decides, with its parameters."""

    name: str
    arguments: str
