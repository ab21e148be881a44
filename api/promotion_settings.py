"""The part of `segue.toml` that says when a challenger is promoted. docs/promotion.md explains it.

Beside `api.settings`, which holds the rest.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, FiniteFloat, model_validator

from api.section import Section
from api.storage.trial import MARGIN
from policy.errors import PolicyError
from policy.promotion.terms import Metric, Terms

if TYPE_CHECKING:
    from api.settings import PlacementSettings, Settings

Bounds = tuple[FiniteFloat, FiniteFloat]


class GuardrailSettings(Section):
    """`[[placements.promotion.guardrails]]`: a metric that must not be hurt."""

    metric: Literal["returns", "unsubscribes", "margin"] = Field(
        description="Of a decision: whether a refund took back of its reward, whether its visitor "
        "unsubscribed, or what its orders left."
    )
    tolerance: float = Field(0.0, ge=0, description="How much worse it may be, a decision.")
    range: Bounds | None = Field(
        None, description="Lowest and highest margin of a decision, in currency units."
    )

    @model_validator(mode="after")
    def _has_a_range(self) -> Self:
        if (self.range is None) is (self.metric == MARGIN):
            rule = "is needed" if self.metric == MARGIN else "is [0, 1]: leave it out"
            raise ValueError(f"range of {self.metric} {rule}")
        self.guardrail()
        return self

    def guardrail(self) -> Metric:
        """The same as the policy room's value."""
        low, high = self.range or (0.0, 1.0)
        try:
            return Metric(
                self.metric, low, high, self.tolerance, higher_is_better=self.metric == MARGIN
            )
        except PolicyError as error:
            raise ValueError(str(error)) from None


class PromotionSettings(Section):
    """`[placements.promotion]`: when a challenger in the mixture wins, and when it loses."""

    automatic: bool = Field(
        True,
        description="Whether the gate acts by itself, or only says what it would do.",
    )
    margin: float = Field(
        0.0,
        ge=0,
        description="Promoted is what earns more than this beyond the champion.",
    )
    tolerance: float = Field(
        0.0, ge=0, description="Rolled back is what earns less by more than this."
    )
    alpha: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="Chance that one which earns no more is ever promoted.",
    )
    rewards: Bounds | None = Field(
        None, description="Lowest and highest reward of a decision; others count as the nearer one."
    )
    wait_hours: float = Field(
        0.0, ge=0, le=24 * 365, description="How long after its window a decision is settled."
    )
    guardrails: tuple[GuardrailSettings, ...] = ()

    @model_validator(mode="after")
    def _names_each_once(self) -> Self:
        names = [one.metric for one in self.guardrails]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"guardrails has {name!r} more than once")
        return self

    def terms(self, rewards: Bounds, share: float) -> Terms:
        """What a challenger with a share of the decisions has to show.

        Args:
            rewards: From `reward_bounds`.
            share: Of the challenger, above 0 and below 1.

        Raises:
            EvaluationError: A margin or tolerance that is larger than any reward.
        """
        return Terms(
            Metric("reward", *rewards, self.tolerance),
            1.0 / min(share, 1.0 - share),
            self.margin,
            self.alpha,
            tuple(one.guardrail() for one in self.guardrails),
        )


def reward_bounds(placement: "PlacementSettings") -> Bounds | None:
    """Lowest and highest reward of a decision; None where the configuration does not tell."""
    promotion, reward = placement.promotion, placement.reward
    if promotion is not None and promotion.rewards is not None:
        return promotion.rewards
    if reward.clip is not None:
        return reward.clip
    is_hit = reward.value == "hit" and not reward.events and reward.aggregation != "sum"
    return (min(reward.default, 0.0), max(reward.default, 1.0)) if is_hit else None


def promotion_faults(settings: "Settings") -> Iterator[str]:
    """What of promotion contradicts the rest of the configuration."""
    for i, placement in enumerate(settings.placements):
        promotion = placement.promotion
        if promotion is None:
            continue
        field = f"placements[{i}].promotion"
        if placement.price_range is not None:
            yield f"{field}: prices out of a range have no challenger that it could be about"
            continue
        bounds = reward_bounds(placement)
        if bounds is None:
            rule = "is needed, [lowest, highest], or placements.reward.clip: bets need bounds"
            yield f"{field}.rewards {rule}"
            continue
        try:
            promotion.terms(bounds, 0.5)
        except PolicyError as error:
            yield f"{field}: {error}"
