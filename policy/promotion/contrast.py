"""The evidence on one metric: bets on the difference of challenger and champion.

Between the rows of the mixture and the gate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from policy.errors import StateError
from policy.ope.intervals.betting import Wealth

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy.model_file import JSON
    from policy.ope.log import Array
    from policy.promotion.terms import Metric, Terms

_SIDE = np.concatenate((np.geomspace(1e-4, 0.1, 25), np.linspace(0.15, 0.95, 9)))
STEPS = np.concatenate((-_SIDE[::-1], [0.0], _SIDE))
"""Advantages that the interval tells apart, as shares of the range."""


class Contrast:
    """Bets on the difference of the two policies' means of one metric, as shares of its range.

        d = (w_challenger - w_champion) (r - c),  c = mean of the r before

    has the advantage as its mean whatever c, because both weights are 1 on average; c takes out
    what both earn. With the weights below W, W + d and W - d are at least 0 and can be bet on.

    Args:
        metric: What is measured.
        terms: With the bound on the weights.
        margin: Whether the challenger is better by more than this, in the metric's unit; None not
            to ask, as of a guardrail.
        alpha: Of each side, in (0, 1).
    """

    def __init__(self, metric: Metric, terms: Terms, margin: float | None, alpha: float) -> None:
        self.metric = metric
        self.bound = terms.largest_weight
        self.steps = STEPS[np.abs(STEPS) < self.bound]
        worse = np.append(metric.tolerance / metric.range, self.steps)
        self.worse = Wealth(self.bound + worse, alpha)
        self.better: Wealth | None = None
        if margin is not None:
            self.better = Wealth(self.bound + np.append(margin / metric.range, self.steps), alpha)
        self.n_rows, self.total = 0, 0.0

    def update(self, apart: Array, values: Array) -> None:
        """Bet on the next rows.

        Args:
            apart: Weight of the challenger minus that of the champion, (n,).
            values: Of the metric, (n,).
        """
        shares = self.metric.shares(values)
        before = self.total + np.cumsum(shares) - shares
        counts = self.n_rows + np.arange(len(shares))
        middle = (before + 0.5) / (counts + 1.0)
        contrast = apart * (shares - np.clip(middle, 0.0, 1.0))
        # Rounding must not make a bet of less than nothing.
        self.worse.update(np.maximum(self.bound - contrast, 0.0))
        if self.better is not None:
            self.better.update(np.maximum(self.bound + contrast, 0.0))
        self.n_rows += len(shares)
        self.total += float(shares.sum())

    @property
    def is_worse(self) -> bool:
        """Whether the challenger is worse by more than the tolerance, beyond doubt."""
        return bool(self.worse.rejected[0])

    @property
    def is_better(self) -> bool:
        """Whether it is better by more than the margin, beyond doubt."""
        return self.better is not None and bool(self.better.rejected[0])

    @property
    def log_wealth(self) -> dict[str, float]:
        """What the bets on `better`, where that is asked, and `worse` have won at most so far."""
        return {side: float(wealth.log_peak[0]) for side, wealth in self._sides().items()}

    def bounds(self) -> tuple[float, float]:
        """Of the advantage as a share of the range, -1 and 1 where nothing is known."""
        low = -1.0 if self.better is None else _last_fallen(self.better, self.steps)
        return low, -_last_fallen(self.worse, self.steps)

    def state(self, prefix: str) -> tuple[dict[str, JSON], dict[str, Any]]:
        """What continues exactly where this stands: a manifest, and arrays under a prefix."""
        manifest: dict[str, JSON] = {"n_rows": self.n_rows, "total": self.total}
        arrays: dict[str, Any] = {}
        for side, wealth in self._sides().items():
            manifest[side], saved = wealth.state()
            arrays |= {f"{prefix}_{side}_{name}": array for name, array in saved.items()}
        return manifest, arrays

    def load_state(self, manifest: JSON, arrays: Mapping[str, Any], prefix: str) -> None:
        """Continue where a state was saved.

        Raises:
            StateError: It is none of this contrast.
        """
        if not isinstance(manifest, dict):
            raise StateError(f"saved gate lacks its part {prefix}")
        n_rows, total = manifest.get("n_rows"), manifest.get("total")
        if not isinstance(n_rows, int) or not isinstance(total, float):
            raise StateError(f"saved gate has {n_rows!r} rows and total {total!r}: must be numbers")
        for side, wealth in self._sides().items():
            bets, head = manifest.get(side), f"{prefix}_{side}_"
            if not isinstance(bets, dict):
                raise StateError(f"saved gate lacks its {side} bets")
            own = {
                name.removeprefix(head): array
                for name, array in arrays.items()
                if name.startswith(head)
            }
            wealth.load_state(bets, own)
        self.n_rows, self.total = n_rows, total

    def _sides(self) -> dict[str, Wealth]:
        sides = {"worse": self.worse, "better": self.better}
        return {side: wealth for side, wealth in sides.items() if wealth is not None}


def _last_fallen(wealth: Wealth, steps: Array) -> float:
    # Only without a gap: then one wrong rejection, of the first true value, is needed to be wrong.
    fallen = wealth.rejected[1:]
    n_fallen = len(fallen) if fallen.all() else int(np.argmin(fallen))
    return float(steps[n_fallen - 1]) if n_fallen else -1.0
