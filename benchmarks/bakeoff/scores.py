"""What the passes add up to: means with their errors, and who beats whom where.

Where it stands: between the passes and the tables.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.bakeoff.one_pass import Pass

LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Score:
    """One setting on one set.

    Args:
        reward: Mean over all rounds of all seeds.
        error: Standard error of that mean over the seeds; None for a single seed.
        n_seeds: How many passes.
        n_rounds: Of each.
        median_us: Of a round: choosing and learning.
        mean_us: The same, which shows what refits in batches cost.
    """

    reward: float
    error: float | None
    n_seeds: int
    n_rounds: int
    median_us: float
    mean_us: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """One setting against another on the same rounds.

    Args:
        difference: Mean reward of the first less that of the second.
        p: Two-sided, of "no difference".
    """

    difference: float
    p: float

    @property
    def verdict(self) -> int:
        """1 for a win, -1 for a loss, 0 for neither at p < .05."""
        return int(np.sign(self.difference)) if self.p < LEVEL else 0


class Scores:
    """Every pass that was run, by setting and set."""

    def __init__(self, passes: Iterable[Pass]) -> None:
        self._passes: dict[tuple[str, str], dict[int, Pass]] = defaultdict(dict)
        for one in passes:
            self._passes[one.setting, one.set_name][one.seed] = one
        self.settings = tuple(dict.fromkeys(setting for setting, _ in self._passes))
        self.set_names = tuple(dict.fromkeys(name for _, name in self._passes))

    def score(self, setting: str, set_name: str) -> Score:
        """Mean reward, error and time of a setting on a set."""
        passes = list(self._passes[setting, set_name].values())
        means = np.array([one.rewards.mean() for one in passes])
        round_us = np.concatenate([one.round_ns for one in passes]) / 1_000
        n = len(means)
        return Score(
            reward=float(means.mean()),
            error=float(means.std(ddof=1) / math.sqrt(n)) if n > 1 else None,
            n_seeds=n,
            n_rounds=len(passes[0].rewards),
            median_us=float(np.median(round_us)),
            mean_us=float(round_us.mean()),
        )

    def average(self, setting: str) -> float:
        """The mean over sets: each counts the same, whatever its size."""
        return float(np.mean([self.score(setting, name).reward for name in self.set_names]))

    def compare(self, first: str, second: str, set_name: str) -> Comparison:
        """Paired over the rounds of the seeds that both have run."""
        ours, theirs = self._passes[first, set_name], self._passes[second, set_name]
        seeds = sorted(ours.keys() & theirs.keys())
        differences = np.concatenate(
            [ours[seed].rewards.astype(np.int8) - theirs[seed].rewards for seed in seeds]
        )
        return paired_z_test(differences.astype(np.float64))

    def best(self, against: str, among: Iterable[str], set_name: str) -> str:
        """Who among some settings is furthest ahead of one, on the seeds that both have run."""
        return min(among, key=lambda other: self.compare(against, other, set_name).difference)

    def wins_minus_losses(self, setting: str, others: Iterable[str]) -> int:
        """Over all sets and some other settings."""
        return sum(
            self.compare(setting, other, name).verdict
            for other in others
            if other != setting
            for name in self.set_names
        )


def paired_z_test(differences: npt.NDArray[np.float64]) -> Comparison:
    """Whether the mean difference is zero, by the z-test of the published bake-off, but paired.

        z = mean(d) / (std(d) / sqrt(n))

    The published one adds the variances of two proportions as if the rounds were different ones;
    here both saw the same rounds, so the variance is that of the differences.

    Args:
        differences: One a round, (n,), two or more.

    Example:
        >>> paired_z_test(np.array([1.0, 0.0, 1.0, 1.0, 0.0, 1.0])).verdict
        1

    References:
        Bietti, Agarwal, Langford. A Contextual Bandit Bake-off. JMLR 22 (133), 2021.
    """
    mean = float(differences.mean())
    error = float(differences.std(ddof=1)) / math.sqrt(len(differences))
    if error == 0.0:
        return Comparison(mean, 1.0 if mean == 0.0 else 0.0)
    return Comparison(mean, math.erfc(abs(mean) / error / math.sqrt(2.0)))
