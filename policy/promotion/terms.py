"""What a challenger has to show, and the rows that show it.

In front of the gate: fixed before the first row, so that nothing seen can change the question.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policy.errors import EvaluationError, LogError
from policy.ope.intervals.base import checked_level

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy.ope.log import Array

REWARD = "reward"


@dataclass(frozen=True, slots=True)
class Metric:
    """The reward, or a guardrail: something measured for each decision.

    Args:
        name: Of the column of ``Rows.metrics``.
        lowest: Smallest possible value.
        highest: Largest possible one.
        tolerance: How much worse the challenger may be, in the metric's unit a decision, at
            least 0.
        higher_is_better: Of margin, yes; of returns and unsubscribes, no.

    Raises:
        EvaluationError: No range, or a tolerance outside of it.
    """

    name: str
    lowest: float
    highest: float
    tolerance: float = 0.0
    higher_is_better: bool = True

    def __post_init__(self) -> None:
        if not (math.isfinite(self.lowest) and math.isfinite(self.highest)) or (
            self.lowest >= self.highest
        ):
            raise EvaluationError(
                f"{self.name} from {self.lowest} to {self.highest}: must be finite bounds, the "
                "lower one first"
            )
        if not 0.0 <= self.tolerance < self.range:
            raise EvaluationError(
                f"tolerance of {self.name} is {self.tolerance}: must be at least 0 and below its "
                f"range of {self.range}"
            )

    @property
    def range(self) -> float:
        """Distance between the bounds."""
        return self.highest - self.lowest

    def shares(self, values: Array) -> Array:
        """Values as shares of the range, 1 for the best, (n,).

        Raises:
            LogError: A value out of bounds or NaN.
        """
        shares = (values - self.lowest) / self.range
        if len(shares) and not (shares.min() >= 0.0 and shares.max() <= 1.0):
            raise LogError(
                f"{self.name} from {values.min()} to {values.max()}: must be within {self.lowest} "
                f"and {self.highest}; widen its range, which starts the gate anew"
            )
        return shares if self.higher_is_better else 1.0 - shares


@dataclass(frozen=True, slots=True)
class Terms:
    """What has to be shown, fixed before the first row.

    Args:
        reward: What is to get better; its tolerance is how much worse a challenger may be before it
            is rolled back.
        largest_weight: Largest importance weight of either policy, by design: 1 / min(share,
            1 - share) for a challenger that takes a share of the decisions, divided by 1 - floor
            where an exploration floor comes on top. At least 1.
        margin: Promoted is what earns more than this beyond the champion, in the unit of the
            reward a decision, at least 0.
        alpha: Chance that a challenger that does not is ever promoted; also that one that is not
            worse is ever rolled back for its reward, and for the guardrails together; in (0, 1).
        guardrails: What must not be hurt.

    Raises:
        EvaluationError: An argument out of range, or two metrics of one name.
    """

    reward: Metric
    largest_weight: float
    margin: float = 0.0
    alpha: float = 0.05
    guardrails: tuple[Metric, ...] = ()

    def __post_init__(self) -> None:
        checked_level(1.0 - self.alpha)
        if not (self.largest_weight >= 1.0 and math.isfinite(self.largest_weight)):
            raise EvaluationError(
                f"largest_weight is {self.largest_weight}: must be at least 1 and finite"
            )
        if not 0.0 <= self.margin < self.reward.range:
            raise EvaluationError(
                f"margin is {self.margin}: must be at least 0 and below the reward's range of "
                f"{self.reward.range}"
            )
        if not self.reward.higher_is_better:
            raise EvaluationError(
                f"reward {self.reward.name} is better when lower: negate it, so that more is earned"
            )
        names = [REWARD, *(one.name for one in self.guardrails)]
        if len(set(names)) < len(names):
            raise EvaluationError(f"metrics are called {names}: names must differ")


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Decisions of the mixture and what came of them, in the order of the log.

    Args:
        champion: Its probability of the action that was shown, (n,).
        challenger: Its probability of the same action, (n,).
        propensity: Probability that the action was shown with, above 0, (n,).
        reward: What was earned, (n,).
        metrics: The guardrails, by name, (n,) each.
    """

    champion: Array
    challenger: Array
    propensity: Array
    reward: Array
    metrics: Mapping[str, Array]
