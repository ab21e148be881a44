"""Lift: what treated visitors earn beyond those held out, at whatever time one looks.

Behind the outcomes of the two groups, in front of the report.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policy.errors import EvaluationError
from policy.ope.intervals.base import Interval, checked_level, unknown

if TYPE_CHECKING:
    from policy.lift.outcomes import Array, Outcomes

FEWEST_VISITORS = 100
"""In each group: below, the intervals, which are asymptotic, say nothing."""

PLANNED_VISITORS = 10_000
METHOD = "asymptotic confidence sequence"
DIFFERENCE = np.array([1.0, -1.0])


@dataclass(frozen=True, slots=True)
class Lift:
    """The difference of two groups.

    Args:
        control: Mean outcome of those held out.
        difference: Treated minus control, after the covariate is taken out.
        error: Standard error of that.
        interval: Of the difference; holds at all times at once.
        relative: Of the difference as a share of the control's mean; holds at all times at once.
        variance_left: Share of the variance that the covariate leaves; 1 without one.
    """

    control: float
    difference: float
    error: float
    interval: Interval
    relative: Interval
    variance_left: float


def always_valid_reach(
    n_visitors: int, level: float = 0.95, planned_visitors: int = PLANNED_VISITORS
) -> float:
    """How many standard errors an interval reaches if it has to hold at every n at once.

        sqrt((1 + 1 / (n ρ²)) log((n ρ² + 1) / α²)),  ρ² = (log(1 / α²) + log(1 + log(1 / α²))) / N

    The boundary of a Brownian motion under a normal mixture, narrowest at about N. Where it is
    1.96 for one look that was fixed beforehand, it is about 3 for all of them.

    Args:
        n_visitors: In both groups together, above 0.
        level: In (0, 1).
        planned_visitors: N: where it should be narrowest. It has to be chosen beforehand.

    Raises:
        EvaluationError: An argument out of range.

    References:
        Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas. Time-uniform Central Limit Theory and
        Asymptotic Confidence Sequences. Annals of Statistics 2024.

    Example:
        >>> round(always_valid_reach(10_000), 2), round(always_valid_reach(1_000_000), 2)
        (3.04, 3.56)
    """
    for name, value in (("n_visitors", n_visitors), ("planned_visitors", planned_visitors)):
        if value <= 0:
            raise EvaluationError(f"{name} is {value}: must be above 0")
    twice = -2.0 * math.log(1.0 - checked_level(level))
    scaled = n_visitors * (twice + math.log1p(twice)) / planned_visitors
    return math.sqrt((1.0 + 1.0 / scaled) * (math.log1p(scaled) + twice))


def lift(
    treated: Outcomes,
    control: Outcomes,
    level: float = 0.95,
    planned_visitors: int = PLANNED_VISITORS,
) -> Lift:
    """What the treated earn beyond the control group.

        mean(y_1) - mean(y_0) - θ (mean(x_1) - mean(x_0)),  θ = cov(y, x) / var(x) within groups

    Since x was known before, its groups differ by chance alone, and taking that out (CUPED) leaves
    the share 1 - corr(y, x)² of the variance and the same expectation.

    Args:
        treated: Outcomes of the treated visitors.
        control: Outcomes of the control group.
        level: Of the intervals, in (0, 1).
        planned_visitors: Where the intervals should be narrowest.

    Returns:
        With unbounded intervals while a group has fewer than ``FEWEST_VISITORS``.

    Raises:
        EvaluationError: A level or a number out of range.

    References:
        Deng, Xu, Kohavi, Walker. Improving the Sensitivity of Online Controlled Experiments by
        Utilizing Pre-Experiment Data. WSDM 2013.

    Example:
        >>> from policy.lift.outcomes import Outcomes
        >>> rng = np.random.default_rng(0)
        >>> groups = [Outcomes.of(rng.normal(mean, 1.0, 2_000)) for mean in (2.5, 2.0)]
        >>> found = lift(*groups)
        >>> found.interval.holds(0.5), found.interval.holds(0.0)
        (True, False)
    """
    theta = _theta(treated, control)
    means = _adjusted(treated, control, theta)
    difference = float(DIFFERENCE @ means)
    if min(treated.n_visitors, control.n_visitors) < FEWEST_VISITORS:
        nothing = unknown(checked_level(level), METHOD)
        return Lift(float(means[1]), difference, math.nan, nothing, nothing, 1.0)
    spread = _covariance(treated, control, theta)
    plain = float(DIFFERENCE @ _covariance(treated, control, 0.0) @ DIFFERENCE)
    variance = max(float(DIFFERENCE @ spread @ DIFFERENCE), 0.0)
    n_visitors = treated.n_visitors + control.n_visitors
    reach = always_valid_reach(n_visitors, level, planned_visitors)
    error = math.sqrt(variance)
    return Lift(
        float(means[1]),
        difference,
        error,
        Interval(difference - reach * error, difference + reach * error, level, METHOD),
        _relative(means, spread, reach, level),
        variance / plain if plain else 1.0,
    )


def _theta(treated: Outcomes, control: Outcomes) -> float:
    products = treated.products + control.products
    return float(products[0, 1] / products[1, 1]) if products[1, 1] > 0.0 else 0.0


def _maps(treated: Outcomes, control: Outcomes, theta: float) -> tuple[Array, Array]:
    """What the adjusted means are made of: of the treated's means and of the control's, (2, 2)."""
    share = treated.n_visitors / max(treated.n_visitors + control.n_visitors, 1)
    up, down = theta * (1.0 - share), theta * share
    return np.array([[1.0, -up], [0.0, down]]), np.array([[0.0, up], [1.0, -down]])


def _adjusted(treated: Outcomes, control: Outcomes, theta: float) -> Array:
    """Mean outcome of treated and control if both had the covariate's mean of all, (2,)."""
    first, second = _maps(treated, control, theta)
    means: Array = first @ treated.means + second @ control.means
    return means


def _covariance(treated: Outcomes, control: Outcomes, theta: float) -> Array:
    """Of the adjusted means, (2, 2)."""
    total = np.zeros((2, 2))
    for group, part in zip((treated, control), _maps(treated, control, theta), strict=True):
        n_visitors = group.n_visitors
        total += part @ group.products @ part.T / (n_visitors - 1) / n_visitors
    return total


def _relative(means: Array, spread: Array, reach: float, level: float) -> Interval:
    """All ρ for which treated - q control, with q = 1 + ρ, is within reach of 0 (Fieller).

    (t - q c)² <= reach² (v_tt - 2 q v_tc + q² v_cc) is a quadratic in q. Where the control's mean
    itself may be 0, nothing bounds the ratio.
    """
    excess = np.outer(means, means) - reach**2 * spread
    if means[1] <= 0.0 or excess[1, 1] <= 0.0:
        return unknown(level, "Fieller")
    root = math.sqrt(max(float(excess[0, 1] ** 2 - excess[0, 0] * excess[1, 1]), 0.0))
    low, high = (float((excess[0, 1] + sign * root) / excess[1, 1]) - 1.0 for sign in (-1.0, 1.0))
    return Interval(low, high, level, "Fieller")
