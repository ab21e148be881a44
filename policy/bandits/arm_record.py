"""What came of each action: how often it was learned from, what it earned, how it was foreseen.

Beside the linear policies; a person reads it, no decision depends on it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

Array = npt.NDArray[np.float64]

N, SUM, SQUARES, SURPRISE, SQUARED_SURPRISE = range(5)
Z = 1.959964
"""Of the normal distribution's 95 % interval."""


@dataclass(frozen=True, slots=True)
class ArmSummary:
    """One action in numbers.

    Args:
        action_id: Which.
        n: Decisions learned from.
        mean_reward: Their mean; NaN for none.
        interval: 95 % interval of the mean: Wilson's for rewards of 0 and 1, else the normal one.
        p_best: Probability that the action is the best for the average visitor; NaN where that is
            not known.
        bias: Mean of the standardised prediction errors; near 0 if predictions are right, below
            where the action is overrated.
        dispersion: Mean square of the same; near 1 if the model knows how unsure it is, above
            where it is too sure.
    """

    action_id: str
    n: int
    mean_reward: float
    interval: tuple[float, float]
    p_best: float
    bias: float
    dispersion: float


class ArmRecord:
    """Running sums per action, in the order in which actions became known.

    Example:
        >>> record = ArmRecord()
        >>> record.count(0, 1.0, 0.5)
        >>> record.sums(1)[0].tolist()
        [1.0, 1.0, 1.0, 0.5, 0.25]
    """

    def __init__(self) -> None:
        self._sums = np.zeros((8, 5))

    def count(self, index: int, reward: float, surprise: float) -> None:
        """One decision of an action, and by how many standard deviations it came out higher."""
        sums = self.sums(index + 1)[index]
        sums += (1.0, reward, reward * reward, surprise, surprise * surprise)

    def correct(self, index: int, change: float, before: float) -> None:
        """A reward that changed from ``before`` to ``before + change``."""
        sums = self.sums(index + 1)[index]
        sums[SUM] += change
        sums[SQUARES] += change * (change + 2.0 * before)

    def remove(self, index: int, reward: float) -> None:
        """A decision that was never made; how it had been foreseen is kept as the average was."""
        sums = self.sums(index + 1)[index]
        n = sums[N]
        sums[[SURPRISE, SQUARED_SURPRISE]] *= (n - 1.0) / n if n > 1.0 else 0.0
        sums[:SURPRISE] -= (1.0, reward, reward * reward)

    def sums(self, n_actions: int) -> Array:
        """The sums of the first actions, as a view, (n_actions, 5)."""
        if n_actions > len(self._sums):
            grown = np.zeros((max(n_actions, 2 * len(self._sums)), 5))
            grown[: len(self._sums)] = self._sums
            self._sums = grown
        return self._sums[:n_actions]

    def replace(self, sums: Array) -> None:
        """Take over sums, (n_actions, 5)."""
        self._sums = np.vstack([sums, np.zeros((8, 5))])

    def summaries(self, action_ids: Sequence[str], p_best: Array) -> list[ArmSummary]:
        """One for each action, in order.

        Args:
            action_ids: (n_actions,).
            p_best: (n_actions,).
        """
        rows = zip(action_ids, self.sums(len(action_ids)).tolist(), p_best.tolist(), strict=True)
        return [_summary(action_id, sums, best) for action_id, sums, best in rows]


def _summary(action_id: str, sums: list[float], p_best: float) -> ArmSummary:
    n, total, squares, surprise, squared_surprise = sums
    if n < 1.0:
        nan = math.nan
        return ArmSummary(action_id, 0, nan, (nan, nan), p_best, nan, nan)
    mean = total / n
    interval = _wilson(mean, n) if total == squares else _normal(mean, squares, n)
    return ArmSummary(
        action_id, round(n), mean, interval, p_best, surprise / n, squared_surprise / n
    )


def _normal(mean: float, squares: float, n: float) -> tuple[float, float]:
    if n < 2.0:
        return -math.inf, math.inf
    variance = max(squares - n * mean * mean, 0.0) / (n - 1.0)
    half = Z * math.sqrt(variance / n)
    return mean - half, mean + half


def _wilson(mean: float, n: float) -> tuple[float, float]:
    """Of a share; unlike the normal one never empty, and inside of [0, 1].

    Wilson. Probable Inference, the Law of Succession, and Statistical Inference. JASA 22, 1927.
    """
    centre = (mean + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n)
    spread = mean * (1.0 - mean) / n + Z * Z / (4.0 * n * n)
    half = Z * math.sqrt(max(spread, 0.0)) / (1.0 + Z * Z / n)
    # Rounding must not put the mean beside its interval.
    return min(max(centre - half, 0.0), mean), max(min(centre + half, 1.0), mean)
