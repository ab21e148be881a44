"""The part of `segue.toml` that says what may be shown to whom: rules, groups, challengers.

Beside `api.settings`, which holds the rest; `api.rule_checks` finds what contradicts itself over
several sections. docs/rules.md explains the rules.
"""

from datetime import UTC, tzinfo
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from api.section import Name, Section
from policy.bandits.price_bins import MOST_BINS
from policy.catalog.action import LARGEST_CENTS
from policy.catalog.condition.parser import parse
from policy.catalog.condition.tree import Condition
from policy.catalog.consent import Consent
from policy.catalog.holdout import LONGEST_SALT, Holdout
from policy.catalog.limit import LONGEST_DAYS, MOST_TIMES, Limit
from policy.catalog.price import PriceGuards
from policy.catalog.price_range import LARGEST_PRICE_CENTS, PriceRange
from policy.errors import ConditionError

Channel = Literal["email", "push", "sms", "onsite"]
Kind = Literal["offer", "price", "content", "recommendation", "message"]


def _is_condition(text: str) -> str:
    try:
        parse(text)
    except ConditionError as error:
        where = "" if error.position is None else f"at character {error.position + 1} "
        raise ValueError(where + error.rule) from None
    return text


def timezone_named(name: str) -> tzinfo:
    """A time zone by its name; UTC also where the machine knows no others.

    Raises:
        ValueError: There is none of this name.
    """
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError("must be a time zone's name, such as 'Europe/Berlin'") from None


def _is_timezone(name: str) -> str:
    timezone_named(name)
    return name


ConditionText = Annotated[str, AfterValidator(_is_condition)]
Timezone = Annotated[str, AfterValidator(_is_timezone)]
Cents = Annotated[int, Field(ge=0, le=LARGEST_CENTS)]
Days = Annotated[float, Field(ge=1 / (24 * 60), le=LONGEST_DAYS)]
Times = Annotated[int, Field(ge=1, le=MOST_TIMES)]
Minutes = Annotated[float, Field(ge=1 / 60, le=LONGEST_DAYS * 24 * 60)]


def condition_of(text: str | None) -> Condition | None:
    """The condition of a checked text."""
    return None if text is None else parse(text)


class CapSettings(Section):
    """`cap` of an action: at most so often to one visitor."""

    times: Times = Field(description="How often, at least 1: leave out an action that is never.")
    days: Days = Field(description="Within how many days.")


class LimitSettings(Section):
    """`[[limits]]`: how often actions of one kind or channel may reach one visitor."""

    kind: Kind | None = Field(None, description="Counts actions of this kind, of all placements.")
    channel: Channel | None = Field(None, description="Counts actions of this channel.")
    times: Times | None = Field(None, description="How often, within `days`.")
    days: Days | None = Field(None, description="Length of the window that ends now.")
    cooldown_minutes: Minutes | None = Field(None, description="Least time in between.")

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if (self.kind is None) == (self.channel is None):
            raise ValueError("needs a kind or a channel, and not both")
        self.limit()
        return self

    def limit(self) -> Limit:
        """The same as the policy room's value."""
        return Limit(self.times, self.days, self.cooldown_minutes)


class ConsentSettings(Section):
    """`[consent]`: through which channels somebody may be addressed."""

    unknown: Literal["refused", "granted"] = Field(
        "refused", description="What it means that a visitor never said anything of a channel."
    )
    purposes: dict[Channel, Name] = Field(
        default_factory=dict, description="Consent category that stands for a channel."
    )

    def consent(self) -> Consent:
        """The same as the policy room's value."""
        return Consent({str(k): v for k, v in self.purposes.items()}, self.unknown == "granted")


class PriceSettings(Section):
    """`[placements.price]`: what prices have to keep to."""

    min_cents: Cents | None = Field(None, description="Lowest price.")
    max_cents: Cents | None = Field(None, description="Highest price.")
    margin_floor: float | None = Field(
        None, ge=0, lt=1, description="Least share of a price that is left after its cost."
    )
    largest_step: float | None = Field(
        None, ge=0, le=1e6, description="Largest change against the price seen last, as a share."
    )
    sticky_hours: float | None = Field(
        None, ge=1 / 60, le=LONGEST_DAYS * 24, description="How long a visitor keeps a price."
    )

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        self.guards()
        return self

    def guards(self) -> PriceGuards:
        """The same as the policy room's value."""
        return PriceGuards(**self.model_dump())


class PriceRangeSettings(Section):
    """`[placements.price_range]`: the price of the placement's action is drawn from a range."""

    min_cents: int = Field(ge=1, le=LARGEST_PRICE_CENTS, description="Lowest price.")
    max_cents: int = Field(ge=1, le=LARGEST_PRICE_CENTS, description="Highest price.")
    step_cents: int = Field(1, ge=1, description="Distance of two neighbouring prices.")
    n_bins: int = Field(16, ge=1, le=MOST_BINS, description="How finely prices are told apart.")
    bandwidth_cents: float | None = Field(
        None, ge=0, description="How far a price is smoothed around the centre of its bin."
    )

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        self.range()
        return self

    def range(self) -> PriceRange:
        """The same as the policy room's value."""
        return PriceRange(self.min_cents, self.max_cents, self.step_cents)


class HoldoutSettings(Section):
    """`[placements.holdout]`: the control group."""

    share: float = Field(gt=0, lt=1, description="Of the visitors.")
    salt: Annotated[str, Field(min_length=1, max_length=LONGEST_SALT)] = Field(
        "holdout", description="Placements with one salt share one group; another draws anew."
    )

    def holdout(self) -> Holdout:
        """The same as the policy room's value."""
        return Holdout(self.share, self.salt)


def limits_of(action: Any) -> list[Limit]:
    """The limits of one configured action."""
    limits = []
    if action.cap is not None:
        limits.append(Limit(action.cap.times, action.cap.days))
    if action.cooldown_minutes is not None:
        limits.append(Limit(cooldown_minutes=action.cooldown_minutes))
    return limits
