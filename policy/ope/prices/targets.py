"""Who would have drawn other prices: one price for all, a saved policy, or the log's own.

In front of ``policy.ope.prices.evaluate``. Each brings the estimator that suits it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from policy.errors import DecisionError, EvaluationError
from policy.ope.estimators.base import Ratio
from policy.ope.estimators.price.cell import CellIPS
from policy.ope.estimators.price.corrected import CorrectedKernel
from policy.ope.estimators.price.sample import PriceSample
from policy.ope.estimators.price.tuned import bandwidths_of

if TYPE_CHECKING:
    from policy.bandits.cats import Cats
    from policy.ope.estimators.base import Functional
    from policy.ope.log import Array, Bools
    from policy.ope.prices.log import PricedDecisions


class PriceTarget(Protocol):
    """A policy to evaluate on a log of prices."""

    @property
    def estimators(self) -> tuple[Functional, ...]:
        """The first is the one to read. Columns of each are of weight times reward, and weight."""

    def columns(self, log: PricedDecisions) -> Array:
        """Those of all its estimators, side by side, (n, n_columns)."""

    def moved(self, log: PricedDecisions) -> Bools:
        """Rows that could not have drawn what it wants, and are judged at the nearest, (n,)."""


class DensityRatio(Ratio):
    """Rewards weighted by how much likelier a policy draws the price than the log did.

        V = sum_i w_i r_i / sum_i w_i,    w_i = target density_i / density_i

    Bias and variance: as of `SNIPS`, of which this is the continuous form: no kernel is needed
    where the target itself is spread.
    """

    name: str = "density_ratio"


@dataclass(frozen=True, slots=True)
class LoggedPrices:
    """What drew the prices of the log.

    Example:
        >>> LoggedPrices().estimators[0].name
        'density_ratio'
    """

    estimators: tuple[Functional, ...] = field(default=(DensityRatio(),), init=False)

    def columns(self, log: PricedDecisions) -> Array:
        """See ``PriceTarget``."""
        return np.column_stack((log.reward, np.ones(log.n_rows)))

    def moved(self, log: PricedDecisions) -> Bools:
        """See ``PriceTarget``: none."""
        return np.zeros(log.n_rows, np.bool_)


@dataclass(frozen=True, slots=True)
class ConstantPrice:
    """One price for everybody, as near as each row's guards allow it, by a kernel.

    The second estimator looks at rows that showed this very price only: it has no bias of the
    kernel's, and is less certain.

    Args:
        cents: The price.
        lowest: That the log ever could draw, in cents.
        highest: That it ever could.
        step: Distance of two prices, in cents.

    Raises:
        EvaluationError: The log could not draw it, or prices without a range.

    Example:
        >>> [one.name for one in ConstantPrice(900, 500, 1500, 10).estimators]
        ['kernel_corrected', 'price_itself']
    """

    cents: int
    lowest: int
    highest: int
    step: int

    def __post_init__(self) -> None:
        if not self.lowest <= self.cents <= self.highest:
            raise EvaluationError(
                f"price {self.cents}: the log drew none but those from {self.lowest} to "
                f"{self.highest} cents, and tells nothing of others; choose one of them, or widen "
                "the range and wait"
            )

    @property
    def estimators(self) -> tuple[Functional, ...]:
        """See ``PriceTarget``."""
        widths = bandwidths_of(self.lowest - self.step / 2.0, self.highest + self.step / 2.0)
        return CorrectedKernel(widths, self.step), CellIPS(self.step)

    def columns(self, log: PricedDecisions) -> Array:
        """See ``PriceTarget``."""
        half = log.step / 2.0
        ends = (log.lowest - half, log.highest + half)  # cells, of which a price is the middle
        sample = PriceSample(log.price, log.density, log.reward, self._wanted(log), *ends)
        kernel, cell = self.estimators
        assert isinstance(kernel, CorrectedKernel)  # noqa: S101  # as made above
        assert isinstance(cell, CellIPS)  # noqa: S101  # as above
        return np.hstack((kernel.columns(sample), cell.columns(sample)))

    def moved(self, log: PricedDecisions) -> Bools:
        """See ``PriceTarget``."""
        moved: Bools = abs(self._wanted(log) - self.cents) > log.step / 2.0
        return moved

    def _wanted(self, log: PricedDecisions) -> Array:
        """The nearest price that each row could have drawn, (n,)."""
        steps = np.floor((self.cents - log.lowest) / log.step + 0.5)
        wanted: Array = np.clip(log.lowest + steps * log.step, log.lowest, log.highest)
        return wanted


@dataclass(frozen=True, slots=True, eq=False)
class DrawnPrices:
    """A policy over prices as it stands: nothing is learned while it is evaluated.

    Args:
        policy: Draws out of each row's range, which must be a part of its own.
        context: Positions of its features in the log's context.
        seed: Each row's draws come from this and the row's number, whatever the chunks.
    """

    policy: Cats
    context: tuple[int, ...]
    seed: int = 0
    estimators: tuple[Functional, ...] = field(default=(DensityRatio(),), init=False)

    def columns(self, log: PricedDecisions) -> Array:
        """See ``PriceTarget``.

        Raises:
            EvaluationError: A row's prices are not among the policy's.
        """
        contexts = log.context[:, list(self.context)]
        likely = np.array([self._density(log, row, contexts[row]) for row in range(log.n_rows)])
        weight = likely / log.density
        return np.column_stack((weight * log.reward, weight))

    def moved(self, log: PricedDecisions) -> Bools:
        """See ``PriceTarget``: none."""
        return np.zeros(log.n_rows, np.bool_)

    def _density(self, log: PricedDecisions, row: int, context: Array) -> float:
        allowed = range(int(log.lowest[row]), int(log.highest[row]) + 1, log.step)
        rng = np.random.default_rng((self.seed, log.first_row + row))
        try:
            density = self.policy.density(context, allowed, rng)
        except DecisionError as error:
            raise EvaluationError(f"row {log.first_row + row}: {error}") from None
        return float(density.at(float(log.price[row])))
