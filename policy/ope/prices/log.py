"""Logged prices out of a range, chunk by chunk: with the density of each draw, and its range.

Beside ``policy.ope.log``, which holds choices among actions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from policy.errors import LogError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy.ope.log import Array, Ints

HAIR = 1e-9
"""By how much a probability may be above 1."""


@dataclass(frozen=True, slots=True, eq=False)
class PricedDecisions:
    """Some rows of a log of prices, all on one grid.

    Args:
        price: That was drawn, in cents, (n,).
        density: At it, per cent, above 0, (n,).
        reward: What it earned, finite, (n,).
        lowest: Lowest price that could have been drawn, in cents, (n,).
        highest: Highest one, (n,).
        step: Distance of two prices, in cents.
        context: What the decision knew, (n, n_context).
        cluster: Whose row it was, (n,).
        labels: To tell results apart by, each (n,).
        first_row: Number of the first row in the log.

    Raises:
        LogError: A density, a reward or a price that cannot be; the message names the row.

    Example:
        >>> log = PricedDecisions(np.array([500.0]), np.array([0.1]), np.ones(1),
        ...                       np.array([500.0]), np.array([900.0]), 10)
        >>> log.n_rows, log.probability
        (1, array([1.]))
    """

    price: Array
    density: Array
    reward: Array
    lowest: Array
    highest: Array
    step: int
    context: Array = field(default_factory=lambda: np.zeros((0, 0)))
    cluster: Ints | None = None
    labels: Mapping[str, np.ndarray] = field(default_factory=dict)
    first_row: int = 0

    def __post_init__(self) -> None:
        if self.context.shape == (0, 0):
            object.__setattr__(self, "context", np.zeros((self.n_rows, 0)))
        likely = (self.density > 0.0) & (self.probability <= 1.0 + HAIR)
        inside = (self.lowest <= self.price) & (self.price <= self.highest)
        self._refuse(~likely, self.density, "density must be above 0, and at most 1 over the step")
        self._refuse(~np.isfinite(self.reward), self.reward, "reward must be a finite number")
        self._refuse(~inside, self.price, "price must be one that could have been drawn")

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.price)

    @property
    def probability(self) -> Array:
        """Of the drawn price, on the grid, (n,)."""
        return self.density * self.step

    def _refuse(self, wrong: np.ndarray, values: Array, rule: str) -> None:
        if wrong.any():
            row = int(np.argmax(wrong))
            raise LogError(f"row {self.first_row + row}: {rule} (it is {values[row]})")
