"""The part of `segue.toml` that says what counts as success. docs/rewards.md explains it.

Beside `api.settings`, which holds the rest.
"""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, FiniteFloat, model_validator

from api.section import Section, nearest
from policy.errors import RewardSpecError
from policy.reward.expression import Expression
from policy.reward.spec import DECIDED, LARGEST_REWARD, REVERSALS, CountedEvent, RewardSpec
from segments.event import EVENT_NAMES


def _is_countable(name: str) -> str:
    if name not in EVENT_NAMES:
        raise ValueError(f"no such event{nearest(name, EVENT_NAMES)}")
    if name in REVERSALS:
        raise ValueError("takes back by itself what its order earned; leave it out")
    return name


def _is_value(text: str) -> str:
    try:
        Expression(text)
    except RewardSpecError as error:
        raise ValueError(error.rule) from None
    return text


EventName = Annotated[str, AfterValidator(_is_countable)]
ValueText = Annotated[str, AfterValidator(_is_value)]


class RewardEventSettings(Section):
    """`[[placements.reward.events]]`: one kind of event that earns a reward."""

    name: EventName = Field(description="Name of the event.")
    weight: FiniteFloat = Field(1.0, description="Its value is multiplied by this.")
    value: ValueText = Field("hit", description="What it is worth, as `value` of a single event.")

    @model_validator(mode="after")
    def _counts(self) -> Self:
        self.counted()
        return self

    def counted(self) -> CountedEvent:
        """The same as the policy room's value."""
        return CountedEvent(self.name, self.weight, self.value)


class RewardSettings(Section):
    """`[placements.reward]`: what counts as success."""

    event: EventName = Field(
        "Order Completed", description="Name of the event that earns the reward."
    )
    match: Literal["category", "brand", "product_id"] | None = Field(
        None, description="Count only products whose attribute equals the action's."
    )
    value: ValueText = Field(
        "hit", description="`hit` is 1; `revenue`, or arithmetic such as `revenue - cost`."
    )
    window_minutes: int = Field(24 * 60, ge=1, le=90 * 24 * 60, description="Attribution window.")
    aggregation: Literal["first", "last", "sum", "max", "mean"] = Field(
        "first", description="What several conversions of one window come to."
    )
    default: float = Field(
        0.0,
        ge=-LARGEST_REWARD,
        le=LARGEST_REWARD,
        description="Reward of a window without a conversion.",
    )
    events: tuple[RewardEventSettings, ...] = Field(
        (), description="Several kinds of event, instead of `event` and `value`."
    )
    clip: tuple[FiniteFloat, FiniteFloat] | None = Field(
        None, description="Lowest and highest reward of a decision."
    )
    activation: Literal["decided", "shown"] = Field(
        DECIDED, description="`shown`: a decision counts only once it was activated."
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        for name in ("event", "value"):
            if self.events and name in self.model_fields_set:
                rule = "is for a single event; with [[placements.reward.events]], leave it out"
                raise ValueError(f"{name} is {getattr(self, name)!r}: {rule}")
        self.spec()
        return self

    def spec(self) -> RewardSpec:
        """The same as the policy room's value."""
        single = not self.events
        return RewardSpec(
            event=self.event if single else None,
            match=self.match,
            value=self.value if single else "hit",
            window_minutes=self.window_minutes,
            aggregation=self.aggregation,
            default=self.default,
            events=tuple(event.counted() for event in self.events),
            clip=self.clip,
            activation=self.activation,
        )
