"""Kernel estimators of several bandwidths, of which the data choose one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from policy.errors import EvaluationError
from policy.ope.estimators.base import Functional, Ratio
from policy.ope.estimators.price.cell import CellIPS
from policy.ope.estimators.price.kernel import KernelIPS
from policy.ope.estimators.tuned import Z, slope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy.ope.estimators.price.sample import PriceSample
    from policy.ope.log import Array
    from policy.ope.tally import Tally

FEWEST_EFFECTIVE = 50.0
FEWEST_STEPS = 4.0
N_BANDWIDTHS = 8


class TunedKernel(Functional):
    """Chooses the bandwidth by SLOPE: the widest whose estimate agrees with all narrower ones.

    Prices on a grid have one member more, the narrowest: `CellIPS`, of the wanted price alone. Of
    the others, those below 4 steps are left out: too few prices lie under their kernel to be its
    integral.

    Bandwidths that fewer than 50 effective rows fall into are passed over: their errors are not
    known.

    Args:
        bandwidths: Rising, in the unit of the prices; `bandwidths_of` makes them of a range.
        step: Distance of two prices that the log could draw; None where prices have no grid.

    Raises:
        EvaluationError: None, or not rising.

    Example:
        >>> TunedKernel(bandwidths_of(100.0, 900.0)).n_columns
        16

    References:
        Su, Srinath, Krishnamurthy. Adaptive Estimator Selection for Off-Policy Evaluation. ICML
        2020.
    """

    name: str = "kernel_slope"

    def __init__(self, bandwidths: Sequence[float], step: float | None = None) -> None:
        if not len(bandwidths) or (np.diff(bandwidths) <= 0.0).any():
            raise EvaluationError(
                f"bandwidths are {tuple(bandwidths)}: must be rising, one or more"
            )
        self.members: tuple[KernelIPS, ...] = tuple(KernelIPS(width) for width in bandwidths)
        self.step = step
        if step is not None:
            wide = (one for one in self.members if one.bandwidth >= FEWEST_STEPS * step)
            self.members = (CellIPS(step), *wide)
        self.n_columns = 2 * len(self.members)

    def columns(self, sample: PriceSample) -> Array:
        """The two columns of each bandwidth."""
        return np.hstack([member.columns(sample) for member in self.members])

    def settled(self, tally: Tally) -> Functional:
        """The bandwidth that SLOPE takes."""
        members = [Chosen(one.bandwidth, i, self.n_columns) for i, one in enumerate(self.members)]
        known = [one for one in members if one.effective_rows(tally) >= FEWEST_EFFECTIVE]
        known = known or members[-1:]
        return known[widest(known, tally)]


class Chosen(Ratio):
    """One bandwidth of several.

    Args:
        bandwidth: Its own.
        place: Which one it is.
        n_columns: Of all together.

    Example:
        >>> Chosen(2.0, 1, 4).value(np.array([0.0, 1.0, 3.0, 2.0]))
        1.5
    """

    name: str = "kernel_slope"

    def __init__(self, bandwidth: float, place: int, n_columns: int) -> None:
        self.bandwidth = bandwidth
        self.own = slice(2 * place, 2 * place + 2)
        self.n_columns = n_columns

    def value(self, means: Array) -> float:
        """The ratio of its own columns."""
        return super().value(means[self.own])

    def gradient(self, means: Array) -> Array:
        """0 on the others' columns."""
        gradient = np.zeros(self.n_columns)
        gradient[self.own] = super().gradient(means[self.own])
        return gradient

    def effective_rows(self, tally: Tally) -> float:
        """(sum of weights)² / sum of squared weights."""
        place = self.own.start + 1
        squares = float(tally.squares[place, place])
        return float(tally.sums[:, place].sum() ** 2) / squares if squares else 0.0


def widest(members: Sequence[Chosen], tally: Tally) -> int:
    """Place of the member that SLOPE takes: the widest that agrees with all narrower ones."""
    means = tally.means
    widths = [Z * tally.standard_error(one.gradient(means)) for one in members]
    falling = np.minimum.accumulate(np.nan_to_num(widths, nan=np.inf))
    return slope(np.array([one.value(means) for one in members]), falling)


def bandwidths_of(low: float, high: float, n: int = N_BANDWIDTHS) -> tuple[float, ...]:
    """Halves of a range of prices, halved again and again; rising.

    Example:
        >>> bandwidths_of(0.0, 16.0, 3)
        (2.0, 4.0, 8.0)
    """
    if not low < high:
        raise EvaluationError(f"prices from {low} to {high}: must be a range, the lower one first")
    return tuple((high - low) / 2.0**i for i in range(n, 0, -1))
