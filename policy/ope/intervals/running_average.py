"""Anytime-valid bounds on an average that drifts: what a policy earned a decision so far.

Beside the tallies: a fold over rows in the order of the log, in constant memory.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from policy.errors import EvaluationError, LogError
from policy.ope.intervals.base import Interval, checked_level, checked_range

if TYPE_CHECKING:
    from collections.abc import Callable

    from policy.ope.log import Array

TILTS = np.concatenate(([0.9], 0.5 ** np.arange(1, 16)))
"""Shares of the largest λ: the right one falls with the variance so far, so all are mixed."""

N_HALVINGS = 40


class Deviation:
    """Bounds how far sums of values lie above the sums of their conditional means, at all times.

        M_t = mean over λ of  exp(λ Σ (X_i - μ_i)  -  ψ(λ) Σ (X_i - g_i)²)
        ψ(λ) = (-cλ - log(1 - cλ)) / c²,   μ_i = E[X_i | rows before],   g_i guessed from those

    is a non-negative supermartingale of start 1 where X_i - g_i >= -c, whatever the μ_i do: it
    reaches 1/α with probability at most α (Ville). Nothing bounds the values above.

    Args:
        reach: c, above 0.
        largest_guess: The g_i are the mean so far, at most this.

    References:
        Howard, Ramdas, McAuliffe, Sekhon. Time-uniform, Nonparametric, Nonasymptotic Confidence
        Sequences. Annals of Statistics 2021.
        Fan, Grama, Liu. Exponential Inequalities for Martingales with Applications. EJP 2015.

    Example:
        >>> sum_ = Deviation(1.0, 1.0)
        >>> sum_.update(np.tile([0.0, 1.0], 500))
        >>> sum_.total, round(sum_.variation)
        (500.0, 252)
    """

    def __init__(self, reach: float, largest_guess: float) -> None:
        self.reach, self.largest_guess = reach, largest_guess
        self.total, self.variation, self.n_rows = 0.0, 0.0, 0
        self._tilts = TILTS / reach
        self._costs = (-TILTS - np.log1p(-TILTS)) / reach**2

    def update(self, values: Array) -> None:
        """Take in the next values, (n,)."""
        before = np.concatenate(([0.0], values.cumsum()[:-1])) + self.total
        count = self.n_rows + np.arange(len(values))
        guess = ((before + 0.5 * self.largest_guess) / (count + 1.0)).clip(
            max=self.largest_guess, min=self.largest_guess - self.reach
        )
        self.variation += float(((values - guess) ** 2).sum())
        self.total += float(values.sum())
        self.n_rows += len(values)

    def log_wealth(self, expected: float) -> float:
        """The log of M_t if the conditional means sum to ``expected``."""
        powers = self._tilts * (self.total - expected) - self._costs * self.variation
        highest = float(powers.max())
        return highest + math.log(np.exp(powers - highest).mean())


class RunningAverage:
    """Bounds on what a policy earned a decision so far, at every row at once, however that drifts.

    What is covered is the average, over the rows until then, of what the target was expected to
    earn given the rows before. It need not stay the same, and rows need not be independent. What
    has been covered may move away again, so bounds of different times must not be intersected.

    With rewards r scaled to [0, 1], the lower bound is of w r. The upper one is of w (1 - r), whose
    conditional mean is 1 less that of w r since a weight is 1 on average; with a bound W on the
    weights mixed evenly with -w r, which is narrower where rewards are rare.

    Args:
        lowest: Smallest possible reward.
        highest: Largest possible one.
        level: Of both bounds together, at all times, in (0, 1).
        largest_weight: Largest weight that could ever occur, by design of the log and the target,
            such as 1 / floor; None where nothing bounds it.

    Raises:
        EvaluationError: A level out of range, no range, or a largest weight below 1.

    References:
        Waudby-Smith, Wu, Ramdas, Karampatziakis, Mineiro. Anytime-valid Off-policy Inference for
        Contextual Bandits. ACM/IMS Journal of Data Science 2024.

    Example:
        >>> average = RunningAverage(0.0, 1.0)
        >>> average.update(np.ones(4000), np.repeat([0.0, 1.0], 2000))
        >>> interval = average.interval
        >>> round(interval.low, 2), round(interval.high, 2)
        (0.47, 0.53)
    """

    def __init__(
        self,
        lowest: float,
        highest: float,
        level: float = 0.95,
        *,
        largest_weight: float | None = None,
    ) -> None:
        checked_range(lowest, highest)
        if largest_weight is not None and not largest_weight >= 1.0:
            raise EvaluationError(f"largest_weight is {largest_weight}: must be at least 1")
        self.level = checked_level(level)
        self._enough = math.log(2.0 / (1.0 - level))
        self.lowest, self.range = lowest, highest - lowest
        self.largest_weight = largest_weight
        self._earned, self._missed = Deviation(1.0, 1.0), Deviation(1.0, 1.0)
        # Of -w r, whose guesses are from -1 to 0 and which lies at most W below any.
        self._negative = Deviation(largest_weight, 0.0) if largest_weight is not None else None

    def update(self, weight: Array, reward: Array) -> None:
        """Take in the next rows.

        Args:
            weight: Importance weights, (n,).
            reward: Within the bounds, (n,).

        Raises:
            LogError: A reward or a weight out of bounds: the interval would not hold.
        """
        share = (reward - self.lowest) / self.range
        if len(share) and not (share.min() >= 0.0 and share.max() <= 1.0):
            raise LogError(
                f"rewards from {reward.min()} to {reward.max()}: must be within {self.lowest} and "
                f"{self.lowest + self.range}; widen the range of rewards"
            )
        self._earned.update(weight * share)
        self._missed.update(weight * (1.0 - share))
        if self._negative is None or self.largest_weight is None:
            return
        if len(weight) and weight.max() > self.largest_weight * (1.0 + 1e-9):
            raise LogError(
                f"a weight of {weight.max()}: largest_weight is {self.largest_weight}; it must be "
                "the largest that could ever occur"
            )
        self._negative.update(-weight * share)

    @property
    def interval(self) -> Interval:
        """Of the average over the rows so far."""
        low = _first(lambda value: self._below(value) < self._enough)
        high = 1.0 - _first(lambda missed: self._above(1.0 - missed) < self._enough)
        return Interval(
            self.lowest + self.range * low,
            self.lowest + self.range * max(high, low),
            self.level,
            "running_average",
        )

    def stands(self, value: float) -> bool:
        """Whether the average so far may be ``value``: the same as being within the interval."""
        share = (value - self.lowest) / self.range
        return max(self._below(share), self._above(share)) < self._enough

    def _below(self, value: float) -> float:
        """Evidence that the average is above ``value``."""
        return self._earned.log_wealth(value * self._earned.n_rows)

    def _above(self, value: float) -> float:
        """Evidence that the average is below ``value``."""
        n_rows = self._missed.n_rows
        missed = self._missed.log_wealth((1.0 - value) * n_rows)
        if self._negative is None:
            return missed
        return float(np.logaddexp(missed, self._negative.log_wealth(-value * n_rows))) - math.log(2)


def _first(stands: Callable[[float], bool]) -> float:
    """The smallest value of [0, 1] that stands, where all above it do; 1 where none does."""
    low, high = 0.0, 1.0
    if stands(low):
        return low
    for _ in range(N_HALVINGS):
        middle = (low + high) / 2.0
        low, high = (low, middle) if stands(middle) else (middle, high)
    return low
