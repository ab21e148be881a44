"""The numbers of an experiment: returns, and their differences over twins with intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

if TYPE_CHECKING:
    from simulator.experiment.life import Lives
    from simulator.experiment.run import Cell, Plan

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Row:
    """One policy in one world, over all seeds. Money in cents a shopper over the horizon.

    Args:
        scenario, policy: Which.
        mean, low, high: Return, with the interval of a mean.
        gain, gain_low, gain_high: Over the baseline, from differences of twins; 0 for itself.
        variance_ratio: How many times fewer shoppers the differences need for it than strangers
            would; NaN for the baseline.
        stayed, subscribed, fatigue, reference: See ``Lives``; means over seeds.
        seconds: CPU time of all seeds.
    """

    scenario: str
    policy: str
    mean: float
    low: float
    high: float
    gain: float
    gain_low: float
    gain_high: float
    variance_ratio: float
    stayed: float
    subscribed: float
    fatigue: float
    reference: float
    seconds: float


def summarise(plan: Plan, results: dict[Cell, Lives]) -> list[Row]:
    """A row for each policy in each world.

    A bandit learns from all shoppers of a seed, which makes them depend on each other: its
    intervals hold for the seeds that were run.
    """
    return [
        _row(plan, results, scenario, policy)
        for scenario in plan.scenarios
        for policy in plan.policies
    ]


def lives_of(plan: Plan, results: dict[Cell, Lives], scenario: str, policy: str) -> list[Lives]:
    """Of each seed, in the plan's order."""
    own = {
        cell.seed: lives
        for cell, lives in results.items()
        if (cell.scenario, cell.policy) == (scenario, policy)
    }
    return [own[seed] for seed in plan.seeds]


def interval(values: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    """Mean and the ends of its 95 % interval, from the normal approximation.

    Example:
        >>> interval(np.array([1.0, 1.0, 1.0]))
        (1.0, 1.0, 1.0)
    """
    mean = float(values.mean())
    half = float(ndtri((1.0 + LEVEL) / 2.0) * values.std(ddof=1) / math.sqrt(len(values)))
    return mean, mean - half, mean + half


def _row(plan: Plan, results: dict[Cell, Lives], scenario: str, policy: str) -> Row:
    lives = lives_of(plan, results, scenario, policy)
    twins = lives_of(plan, results, scenario, plan.policies[0])
    returns = np.concatenate([one.returns_cents for one in lives])
    baseline = np.concatenate([one.returns_cents for one in twins])
    differences = returns - baseline
    is_baseline = policy == plan.policies[0]
    paired = float(differences.var())
    strangers = float(returns.var() + baseline.var())
    return Row(
        scenario,
        policy,
        *interval(returns),
        *((0.0, 0.0, 0.0) if is_baseline else interval(differences)),
        float("nan") if paired == 0.0 else strangers / paired,
        _mean([one.stayed for one in lives]),
        _mean([one.subscribed for one in lives]),
        _mean([one.fatigue for one in lives]),
        _mean([one.reference for one in lives]),
        sum(one.seconds for one in lives),
    )


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
