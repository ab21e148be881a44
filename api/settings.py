"""Configuration: `segue.toml`, checked at start, with environment variables on top.

Stands at the very front of the service: what every other module is told is here, and what is
wrong with it is said by field, value and rule before a port is opened.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    JsonValue,
    PlainValidator,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from api.personalizer.settings import PersonalizerSettings, personalizer_faults
from api.promotion_settings import PromotionSettings, promotion_faults
from api.retention_settings import LONGEST_DAYS, RetentionSettings, retention_faults
from api.reward_settings import RewardSettings
from api.rule_checks import rule_faults
from api.rule_settings import (
    CapSettings,
    Cents,
    Channel,
    ConditionText,
    ConsentSettings,
    HoldoutSettings,
    Kind,
    LimitSettings,
    Minutes,
    PriceRangeSettings,
    PriceSettings,
    Timezone,
)
from api.section import Name, Section, nearest
from api.segment_families import FAMILIES, MAX_CHURN
from api.segment_settings import MOST_HAND_MADE, CriteriaSettings, HandMadeSettings
from api.supply_checks import supply_faults
from api.supply_settings import BudgetSettings, InventorySettings
from api.webhooks.settings import WebhookEndpointSettings, WebhookSourceSettings, webhook_faults
from policy.bandits.build import make_policy
from policy.errors import PolicyError
from policy.hashing import MOST_HASHED
from policy.ppo.network import KIND as PPO
from policy.ppo.policy import check_parameters
from segments.behaviour.reading import BEHAVIOURS


def _is_hash(value: str) -> str:
    if not re.fullmatch("[0-9a-f]{64}", value):
        raise ValueError("must be 64 hexadecimal digits, as `segue keys new NAME` prints them")
    return value


def _values(value: object) -> object:
    if value == "number":
        return value
    if not isinstance(value, list | tuple) or not value or len(set(map(repr, value))) < len(value):
        raise ValueError('must be "number", or the list of possible values, each once')
    if not all(isinstance(text, str) and 0 < len(text) <= 200 for text in value):
        raise ValueError("possible values must be texts of 1 to 200 characters")
    return tuple(value)


def _is_origin(value: str) -> str:
    if value != "*" and not re.fullmatch(r"https?://[^\s/?#*]+", value):
        raise ValueError('must be such as "https://shop.example", without a path, or "*" for any')
    return value


def _is_behaviour(value: str) -> str:
    if value not in BEHAVIOURS:
        raise ValueError(f"must be one of {', '.join(BEHAVIOURS)}{nearest(value, BEHAVIOURS)}")
    return value


Origin = Annotated[str, AfterValidator(_is_origin)]
Behaviour = Annotated[str, AfterValidator(_is_behaviour)]
KeyHash = Annotated[str, AfterValidator(_is_hash)]
ContextValues = Annotated[Literal["number"] | tuple[str, ...], PlainValidator(_values)]
Scope = Literal["decide", "ingest", "reward", "read", "privacy", "admin"]
LOOPBACK = ("127.0.0.1", "::1", "localhost")


LEARNED = "segments"
"""The grouping of the segments that are fitted; every other is named by the configuration."""


class SettingsError(ValueError):
    """A configuration that the service will not start with; the message lists every fault."""


class ServiceSettings(Section):
    """`[service]`: where it listens, where it stores, which clock it trusts."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    database: Path = Field(
        Path("segue.db"), description="The SQLite file; relative to the configuration."
    )
    durability: Literal["power-loss", "crash"] = Field(
        "power-loss",
        description="What an acknowledged write survives: a power cut, or a crash of the process.",
    )
    clock: Literal["system", "replay"] = Field(
        "system",
        description="`replay` takes time from the requests: runs a past year through the service.",
    )
    snapshot_seconds: float = Field(
        30.0, gt=0, le=86_400, description="How often models and profiles are saved, in seconds."
    )
    timezone: Timezone = Field(
        "UTC", description="Whose hours and dates the rules mean, such as `Europe/Berlin`."
    )
    deadline_ms: int = Field(
        250,
        ge=5,
        le=60_000,
        description="How long a decision waits for the log before the default is shown.",
    )
    max_in_flight: int = Field(
        512,
        ge=8,
        le=100_000,
        description="Requests answered at once; beyond, 503. Ingestion may take a quarter of it.",
    )
    request_seconds: float = Field(
        20.0,
        gt=0,
        le=3_600,
        description="How long a request may take to come in, and its answer to be read.",
    )
    max_body_kb: int = Field(512, ge=1, le=16384, description="Largest request body, in kB.")
    cors_origins: tuple[Origin, ...] = Field(
        (), description="Sites whose pages may call the service, such as `https://shop.example`."
    )


class EventSettings(Section):
    """`[events]`: how far from now an event's time may lie."""

    max_age_days: int = Field(30, ge=1, le=36_525, description="Oldest event accepted, in days.")
    max_ahead_minutes: int = Field(
        60, ge=0, le=525_960, description="How far ahead of now an event may claim to be."
    )


class AbsenceSettings(Section):
    """`[[segments.absences]]`: those who have not been seen, or not bought, for so many days."""

    name: Name = Field(description="Unique name, such as `lapsed`.")
    feature: Literal["unseen_days", "recency_days"] = Field(
        "unseen_days", description="`unseen_days` since any event, `recency_days` since an order."
    )
    days: float = Field(gt=0, lt=730, description="How many, below two years.")


class SegmentSettings(Section):
    """`[segments]`: how visitors are grouped."""

    family: str | None = Field(
        None,
        description="How: docs/segments.md lists the families; None keeps the one in use.",
    )
    n_segments: int | None = Field(
        None, ge=2, le=8, description="Number of segments, where the family has to be told."
    )
    max_churn: float = Field(
        MAX_CHURN,
        ge=0,
        le=1,
        description="Share of visitors a refit may put elsewhere for the same behaviour.",
    )
    outcome_days: int = Field(
        90, ge=1, le=LONGEST_DAYS, description="Days of spend that `tree-rules` learn from."
    )
    min_visitors: int = Field(50, ge=2, description="Visitors needed before the first fit.")
    max_fit_visitors: int = Field(
        100_000, ge=10, description="Visitors that a fit looks at, at most."
    )
    refit_hours: float = Field(24.0, gt=0, le=8_784, description="Hours between refits.")
    seed: int = Field(0, ge=0, description="Seed of the first fit.")
    criteria: CriteriaSettings = CriteriaSettings()
    hand_made: tuple[HandMadeSettings, ...] = Field(
        (), max_length=MOST_HAND_MADE, description="Segments that a person describes."
    )
    settle_minutes: float = Field(
        30.0, ge=0, le=525_960, description="How long a visitor stays in a segment at least."
    )
    absences: tuple[AbsenceSettings, ...] = Field(
        (), description="Time windows that visitors are in and out of, beside their segment."
    )

    @field_validator("family")
    @classmethod
    def _is_known(cls, value: str | None) -> str | None:
        if value is not None and value not in FAMILIES:
            raise ValueError(f"must be one of {', '.join(FAMILIES)}{nearest(value, FAMILIES)}")
        return value


class KeySettings(Section):
    """`[[keys]]`: one API key, stored as the hash that `segue keys` prints."""

    name: Name = Field(description="Who holds it; appears in logs instead of the key.")
    sha256: KeyHash = Field(description="SHA-256 of the key, hexadecimal.")
    scopes: tuple[Scope, ...] = Field(min_length=1, description="What it may do.")
    per_second: float | None = Field(
        None, gt=0, le=1_000_000, description="Requests a second, with a second's worth at once."
    )
    owner: Name | None = Field(
        None, description="Whose key it is: rewards are taken for decisions of the same owner only."
    )


class ActionSettings(Section):
    """`[[actions]]`: something that can be shown."""

    id: Name = Field(description="Unique id.")
    kind: Kind = Field("content", description="What it is.")
    category: Name | None = Field(None, description="Category it shows; matched with affinities.")
    brand: Name | None = Field(None, description="Brand it shows; matched with affinities.")
    features: dict[Name, FiniteFloat] = Field(
        default_factory=dict, description="Numbers that the policy learns from, about 0 to 1 each."
    )
    payload: dict[str, JsonValue] = Field(
        default_factory=dict, description="Returned to the storefront as is."
    )
    channel: Channel | None = Field(
        None, description="How it reaches the visitor, who may have to consent."
    )
    price_cents: Cents | None = Field(None, description="The price that it shows.")
    cost_cents: Cents | None = Field(None, description="What it costs the shop.")
    price_of: Name | None = Field(None, description="What it is the price of.")
    condition: ConditionText | None = Field(None, description="Has to hold for it to be shown.")
    cap: CapSettings | None = Field(None, description="How often one visitor is shown it at most.")
    cooldown_minutes: Minutes | None = Field(
        None, description="Least time between one showing and the next."
    )
    starts: AwareDatetime | None = Field(None, description="When it may first be shown.")
    ends: AwareDatetime | None = Field(None, description="From when on it may not.")

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.kind == "price" and self.price_cents is None:
            raise ValueError("price_cents is needed by an action of kind 'price'")
        if self.kind == "message" and self.channel is None:
            raise ValueError("channel is needed by an action of kind 'message'")
        if self.starts is not None and self.ends is not None and self.ends <= self.starts:
            rule = f"must be after starts, which is {self.starts.isoformat()}"
            raise ValueError(f"ends is {self.ends.isoformat()}: {rule}")
        return self


class PolicySettings(BaseModel):
    """`[placements.policy]`: which learner decides, with its parameters beside the kind."""

    model_config = ConfigDict(extra="allow", frozen=True)

    kind: str = Field("linucb", description="Name of the learner: docs/policies.md lists them.")
    model: Path | None = Field(
        None, description="File of a trained policy, for kind `ppo`; relative to the configuration."
    )

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters as they were given."""
        return dict(self.model_extra or {})

    @model_validator(mode="after")
    def _can_be_built(self) -> Self:
        if self.kind != PPO and self.model is not None:
            rule = f"only a policy of kind {PPO!r} is served from a file: leave it out"
            raise ValueError(f"model is {str(self.model)!r:.80}: {rule}")
        if self.kind == PPO and self.model is None:
            raise ValueError("model is needed by kind 'ppo': the file that `segue train ppo` wrote")
        try:
            if self.kind == PPO:
                check_parameters(self.parameters)
            else:
                make_policy(self.kind, n_context=1, n_shared=1, **self.parameters)
        except (PolicyError, TypeError) as error:
            raise ValueError(str(error)) from None
        return self


class ChallengerSettings(PolicySettings):
    """`[placements.challenger]`: a second policy that decides a share of the decisions."""

    share: float = Field(gt=0, lt=1, description="Of the decisions that the challenger takes.")

    @model_validator(mode="after")
    def _floors_once(self) -> Self:
        if "floor" in self.parameters:
            rule = "the floor of [placements.policy] is spread over what both say: leave it out"
            raise ValueError(f"floor is {self.parameters['floor']!r}: {rule}")
        return self


class PlacementSettings(Section):
    """`[[placements]]`: a place in the shop where one action is shown."""

    name: Name = Field(description="What the storefront asks for.")
    actions: tuple[Name, ...] = Field(
        min_length=1, description="Ids of the actions it chooses among."
    )
    default: Name = Field(description="The action shown when anything is broken.")
    baseline: Name | None = Field(
        None, description="What the control group is shown; the default, unless it is named."
    )
    condition: ConditionText | None = Field(None, description="Has to hold for every candidate.")
    context: dict[Name, ContextValues] = Field(
        default_factory=dict,
        description='What the storefront sends: `"number"`, or the list of possible values.',
    )
    crosses: tuple[tuple[str, str], ...] = Field(
        (), description="Pairs of a context feature and an action feature, multiplied."
    )
    behaviour: tuple[Behaviour, ...] = Field(
        (), description="What the policy sees of a session against the visitor's own past."
    )
    hashed_features: int = Field(
        0, ge=0, le=MOST_HASHED, description="Features that JSON nobody declared is hashed into."
    )
    policy: PolicySettings = Field(default_factory=lambda: PolicySettings(kind="linucb"))
    challenger: ChallengerSettings | None = None
    holdout: HoldoutSettings | None = None
    promotion: PromotionSettings | None = None
    price: PriceSettings | None = None
    price_range: PriceRangeSettings | None = None
    reward: RewardSettings = Field(default_factory=RewardSettings)

    @field_validator("actions", "behaviour")
    @classmethod
    def _distinct(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in repeated(value):
            raise ValueError(f"{name!r} is there more than once; ids must be unique")
        return value

    @field_validator("default", "baseline")
    @classmethod
    def _is_an_action(cls, value: str | None, info: ValidationInfo) -> str | None:
        actions = info.data.get("actions")  # absent when they are at fault themselves
        if value is not None and actions is not None and value not in actions:
            raise ValueError(f"must be one of the placement's actions{nearest(value, actions)}")
        return value


class Settings(BaseSettings):
    """The whole of `segue.toml`; `SEGUE_SERVICE__PORT=9000` and the like override it."""

    model_config = SettingsConfigDict(
        env_prefix="SEGUE_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    service: ServiceSettings = ServiceSettings()
    events: EventSettings = EventSettings()
    segments: SegmentSettings = SegmentSettings()
    retention: RetentionSettings = RetentionSettings()
    consent: ConsentSettings = ConsentSettings()
    limits: tuple[LimitSettings, ...] = ()
    budgets: tuple[BudgetSettings, ...] = ()
    inventories: tuple[InventorySettings, ...] = ()
    keys: tuple[KeySettings, ...] = ()
    actions: tuple[ActionSettings, ...] = ()
    placements: tuple[PlacementSettings, ...] = ()
    personalizer: PersonalizerSettings | None = None
    webhook_sources: tuple[WebhookSourceSettings, ...] = ()
    webhook_endpoints: tuple[WebhookEndpointSettings, ...] = ()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment first, then the file."""
        return env_settings, init_settings

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        faults = [
            *self._repeated_names(),
            *self._unknown_actions(),
            *self._unearnable(),
            *self._open_to_all(),
            *personalizer_faults(self),
            *webhook_faults(self),
        ]
        if not faults:
            faults += [*rule_faults(self), *supply_faults(self), *retention_faults(self)]
            faults += promotion_faults(self)
        if faults:
            raise ValueError("\n".join(faults))
        return self

    def _repeated_names(self) -> Iterator[str]:
        sections = {
            "actions": [action.id for action in self.actions],
            "placements": [placement.name for placement in self.placements],
            "keys": [key.name for key in self.keys],
            "budgets": [budget.name for budget in self.budgets],
            "inventories": [inventory.name for inventory in self.inventories],
            "segments.hand_made": [one.id for one in self.segments.hand_made],
            "segments.absences": [LEARNED, *(one.name for one in self.segments.absences)],
        }
        for section, names in sections.items():
            for name in repeated(names):
                yield f"{section}: {name!r} is there more than once; names must be unique"

    def _unknown_actions(self) -> Iterator[str]:
        known = {action.id for action in self.actions}
        for i, placement in enumerate(self.placements):
            for j, name in enumerate(placement.actions):
                if name not in known:
                    rule = f"is not in [[actions]]{nearest(name, known)}"
                    yield f"placements[{i}].actions[{j}] is {name!r}: {rule}"

    def _unearnable(self) -> Iterator[str]:
        actions = {action.id: action for action in self.actions}
        for i, placement in enumerate(self.placements):
            match = placement.reward.match
            if match not in ("category", "brand"):
                continue
            for name in placement.actions:
                if name in actions and getattr(actions[name], match) is None:
                    rule = f"action {name!r} has no {match}, so no order could ever reward it"
                    yield f"placements[{i}].reward.match is {match!r}: {rule}"

    def _open_to_all(self) -> Iterator[str]:
        if not self.keys and self.service.host not in LOOPBACK:
            yield (
                f"service.host is {self.service.host!r}: without [[keys]] the service listens on "
                "127.0.0.1 only; make a key with `segue keys new NAME`"
            )

    def listening_on(self, host: str | None, port: int | None) -> Self:
        """The same on another address; None keeps what is configured.

        Raises:
            SettingsError: When that would open a service without keys to the network.
        """
        given = {"host": host, "port": port}
        update = {key: value for key, value in given.items() if value is not None}
        changed = self.model_copy(update={"service": self.service.model_copy(update=update)})
        for fault in changed._open_to_all():
            raise SettingsError(fault)
        return changed


def repeated(names: Iterable[str]) -> list[str]:
    """The names that are there more than once."""
    return [name for name, count in Counter(names).items() if count > 1]
