"""Anytime-valid bounds by betting: look as often as you like, stop whenever you like.

Beside the tallies: a fold over rows in the order of the log.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import logsumexp

from policy.errors import EvaluationError, LogError, StateError, shown
from policy.ope.intervals.base import Interval, checked_level, checked_range

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy.model_file import JSON
    from policy.ope.log import Array, Bools

FRACTIONS = np.concatenate(([0.9], 0.5 ** np.arange(1, 13)))
"""Shares of the wealth at stake: the right one falls with the variance, so all are played."""

GROUP = 16
FIRST_BLOCK, LARGEST_BLOCK = 64, 4096
_ARRAYS = ("nulls", "log_wealth", "log_peak", "active")

_LOW = np.concatenate((np.geomspace(1e-4, 0.5, 140), np.linspace(0.01, 0.5, 50)))
GRID = np.unique(np.concatenate((_LOW, 1.0 - _LOW)))
"""Close together where values are close to either end."""


class Wealth:
    """Bets against "the mean is at most m" on values of at least 0, for several m at once.

        K_t(m) = mean over f of  prod_{s <= t} (1 + f (X_s / m - 1))

    Under the hypothesis K is a non-negative supermartingale that starts at 1, so it reaches 1/α at
    any time with probability at most α (Ville). Nothing bounds the values above: heavy weights only
    make it slow. Where the mean was below m so far, and where m has fallen, it sits out the next
    rows: K then stays as it is.

    Args:
        nulls: The m, above 0, (n_nulls,).
        alpha: Probability to reject a true one at any time, in (0, 1).

    Raises:
        EvaluationError: A null that is not above 0, or an alpha out of range.

    References:
        Waudby-Smith, Ramdas. Estimating Means of Bounded Random Variables by Betting. JRSS B 2024.
        Waudby-Smith, Wu, Ramdas, Karampatziakis, Mineiro. Anytime-valid Off-policy Inference for
        Contextual Bandits. ACM/IMS Journal of Data Science 2024.

    Example:
        >>> wealth = Wealth(np.array([0.2, 0.6]), 0.05)
        >>> wealth.update(np.tile([0.0, 1.0], 200))
        >>> wealth.rejected
        array([ True, False])
    """

    def __init__(self, nulls: Array, alpha: float) -> None:
        self.nulls = np.asarray(nulls, dtype=np.float64)
        if not (self.nulls > 0.0).all():
            raise EvaluationError(f"nulls are {self.nulls}: must be above 0")
        self.alpha = 1.0 - checked_level(1.0 - alpha)
        self.log_wealth = np.zeros((len(self.nulls), len(FRACTIONS)))
        self.log_peak = np.zeros(len(self.nulls))
        self.active = np.ones(len(self.nulls), np.bool_)
        self.n_rows = 0
        self.next_choice = FIRST_BLOCK
        self.total = 0.0

    def update(self, values: Array) -> None:
        """Bet on the next values, and look.

        Args:
            values: At least 0, in the order of the log, (n,).

        Raises:
            LogError: A value below 0 or NaN: nothing could bound it.
        """
        if len(values) and not (values >= 0.0).all():
            raise LogError(f"betting on {values.min()}: values must be at least 0")
        start = 0
        while start < len(values):
            part = values[start : start + self.next_choice - self.n_rows]
            self._bet(part)
            start += len(part)

    @property
    def rejected(self) -> Bools:
        """Which hypotheses have fallen by now, (n_nulls,)."""
        fallen: Bools = self.log_peak >= -math.log(self.alpha)
        return fallen

    def state(self) -> tuple[dict[str, JSON], dict[str, Array | Bools]]:
        """What continues exactly where this stands: a manifest and arrays."""
        manifest: dict[str, JSON] = {
            "alpha": self.alpha,
            "n_rows": self.n_rows,
            "next_choice": self.next_choice,
            "total": self.total,
        }
        arrays = {name: getattr(self, name).copy() for name in _ARRAYS}
        return manifest, arrays

    def load_state(self, manifest: Mapping[str, JSON], arrays: Mapping[str, Any]) -> None:
        """Continue where a state was saved.

        Raises:
            StateError: Of other nulls, another alpha, or no state; nothing changed.
        """
        if not np.array_equal(arrays.get("nulls", ()), self.nulls):
            raise StateError("saved bets are against other values: start them anew")
        if manifest.get("alpha") != self.alpha:
            raise StateError(
                f"saved bets have alpha {shown(manifest.get('alpha'))}, not {self.alpha}: start "
                "them anew"
            )
        for name in _ARRAYS:
            own, saved = getattr(self, name), arrays.get(name)
            if saved is None or saved.shape != own.shape or saved.dtype != own.dtype:
                raise StateError(f"saved bets lack {name} of shape {own.shape}")
        n_rows, next_choice = manifest.get("n_rows"), manifest.get("next_choice")
        total = manifest.get("total")
        if not (isinstance(n_rows, int) and isinstance(next_choice, int)) or next_choice <= n_rows:
            raise StateError(f"saved bets have {shown(n_rows)} rows, next {shown(next_choice)}")
        if not isinstance(total, float) or not math.isfinite(total):
            raise StateError(f"saved bets have total {shown(total)}: must be a finite number")
        self.n_rows, self.next_choice, self.total = n_rows, next_choice, total
        for name in _ARRAYS:
            setattr(self, name, arrays[name].copy())

    def _bet(self, values: Array) -> None:
        active = np.flatnonzero(self.active)
        positive = values[values > 0.0]
        # Whole groups, filled up with the mean under the hypothesis, on which nothing is won.
        n_groups = -(-len(positive) // GROUP)
        ratios = np.ones((len(active), n_groups * GROUP))
        ratios[:, : len(positive)] = positive / self.nulls[active, np.newaxis]
        ratios -= 1.0
        for number, fraction in enumerate(FRACTIONS):
            factors = (fraction * ratios + 1.0).reshape(len(active), n_groups, GROUP)
            gains = np.log(factors.prod(axis=2)).sum(axis=1)
            gains += (len(values) - len(positive)) * math.log1p(-fraction)
            self.log_wealth[active, number] += gains
        wealth = logsumexp(self.log_wealth[active], axis=1) - math.log(len(FRACTIONS))
        self.log_peak[active] = np.maximum(self.log_peak[active], wealth)
        self.n_rows += len(values)
        self.total += float(values.sum())
        # At rows that are known beforehand, however the log is cut into chunks.
        if self.n_rows == self.next_choice:
            self.active = (self.nulls < self.total / self.n_rows) & ~self.rejected
            self.next_choice += min(self.n_rows, LARGEST_BLOCK)


class ConfidenceSequence:
    """Bounds on a policy's value that hold at every row of the log at once, if it stays the same.

    What is bet against is that the value is at most m in every row given those before. Where it
    drifts, an early stretch above m is enough to reject that, though the average is below; bounds
    that cross show it, and then nothing is claimed: the interval is the whole range.

    With rewards r scaled to [0, 1], the lower bound bets on w r. The upper one bets on w (1 - r),
    whose mean is 1 less that value since a weight is 1 on average; or, with a bound W on the
    weights, on W - w r, which is much narrower where rewards are rare.

    Args:
        lowest: Smallest possible reward.
        highest: Largest possible one.
        level: Of both bounds together, at all times, in (0, 1).
        largest_weight: Largest weight that could ever occur, by design of the log and the target,
            such as 1 / floor; None where nothing bounds it.
        grid: Values that are told apart, as shares of the range, rising, (n_nulls,).

    Raises:
        EvaluationError: A level out of range, or no range.

    Example:
        >>> sequence = ConfidenceSequence(0.0, 1.0)
        >>> sequence.update(np.ones(4000), np.tile([0.0, 1.0], 2000))
        >>> interval = sequence.interval
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
        grid: Array = GRID,
    ) -> None:
        checked_range(lowest, highest)
        self.level = checked_level(level)
        self.lowest, self.range = lowest, highest - lowest
        self.grid = grid
        self._below = Wealth(grid, (1.0 - level) / 2.0)
        self.largest_weight = largest_weight
        if largest_weight is not None and not largest_weight >= 1.0:
            raise EvaluationError(f"largest_weight is {largest_weight}: must be at least 1")
        self._above = Wealth((largest_weight or 1.0) - grid, (1.0 - level) / 2.0)

    def update(self, weight: Array, reward: Array) -> None:
        """Take in the next rows.

        Args:
            weight: Importance weights, (n,).
            reward: Within the bounds, (n,).

        Raises:
            LogError: A reward out of bounds: the interval would not hold.
        """
        share = (reward - self.lowest) / self.range
        if len(share) and not (share.min() >= 0.0 and share.max() <= 1.0):
            raise LogError(
                f"rewards from {reward.min()} to {reward.max()}: must be within {self.lowest} and "
                f"{self.lowest + self.range}; widen the range of rewards"
            )
        self._below.update(weight * share)
        if self.largest_weight is None:
            self._above.update(weight * (1.0 - share))
            return
        if len(weight) and weight.max() > self.largest_weight * (1.0 + 1e-9):
            raise LogError(
                f"a weight of {weight.max()}: largest_weight is {self.largest_weight}; it must be "
                "the largest that could ever occur"
            )
        self._above.update(np.maximum(self.largest_weight - weight * share, 0.0))

    @property
    def interval(self) -> Interval:
        """What is left of the values by now."""
        # Up to the first value that stands, from either end: then one wrong rejection, that of the
        # first value beyond the truth, is needed to be wrong, which alpha bounds at all times.
        below = self.grid[np.logical_and.accumulate(self._below.rejected)]
        above = self.grid[::-1][np.logical_and.accumulate(self._above.rejected[::-1])]
        low, high = below.max(initial=0.0), above.min(initial=1.0)
        if low >= high:  # no value fits all of the log: it has drifted
            low, high = 0.0, 1.0
        return Interval(
            float(self.lowest + self.range * low),
            float(self.lowest + self.range * high),
            self.level,
            "betting",
        )
