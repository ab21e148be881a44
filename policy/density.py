"""A density over an interval: how a number, such as a price, is drawn with a known likelihood.

Beside the probabilities of actions: where those end in one of several candidates, this ends in one
of a continuum.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from policy.errors import DecisionError, PolicyError

if TYPE_CHECKING:
    from policy.bounds import Floats

Array = npt.NDArray[np.float64]

MOST_OFF = 1e-9
"""By how much an integral may miss 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Density:
    """A density that is constant on each of some adjoining pieces, and 0 elsewhere.

    A piece holds its lower edge and not its upper one; the last holds both.

    Args:
        edges: Ascending, (n_pieces + 1,).
        heights: Of the pieces, at least 0, per unit of the edges, (n_pieces,).

    Raises:
        PolicyError: It is no density: nothing may be drawn from it.

    Example:
        >>> density = Density(np.array([0.0, 10.0, 20.0]), np.array([0.025, 0.075]))
        >>> float(density.at(10.0)), density.draw(0.625)
        (0.075, 15.0)
    """

    edges: Array
    heights: Array

    def __post_init__(self) -> None:
        if self.edges.shape != (len(self.heights) + 1,) or not len(self.heights):
            raise PolicyError(
                f"density has {self.edges.size} edges and {self.heights.size} heights: must have "
                "one height or more, and one edge more than that"
            )
        # Written so that NaN fails: a broken density must never be drawn from or logged.
        if not ((self.widths > 0.0).all() and (self.heights >= 0.0).all()):
            raise PolicyError("density must have ascending edges, and heights of at least 0")
        integral = float(np.add.reduce(self.masses))
        if not abs(integral - 1.0) < MOST_OFF:
            raise PolicyError(f"density integrates to {integral}: must integrate to 1")

    @property
    def widths(self) -> Array:
        """Of the pieces, (n_pieces,)."""
        return self.edges[1:] - self.edges[:-1]

    @property
    def masses(self) -> Array:
        """Probability of each piece, (n_pieces,)."""
        return self.heights * self.widths

    def at(self, values: Floats | float) -> Array:
        """The density at some values, in their shape; 0 outside of the edges."""
        values = np.asarray(values, dtype=np.float64)
        last = len(self.heights) - 1
        piece = np.minimum(self.edges.searchsorted(values, side="right") - 1, last)
        inside = (values >= self.edges[0]) & (values <= self.edges[-1])
        return np.where(inside, self.heights[piece], 0.0)

    def below(self, values: Floats | float) -> Array:
        """The probability of a draw below some values, in their shape: the distribution function.

        Example:
            >>> Density(np.array([0.0, 4.0]), np.array([0.25])).below([-1.0, 1.0, 9.0]).tolist()
            [0.0, 0.25, 1.0]
        """
        cumulative = np.concatenate(([0.0], self.masses.cumsum()))
        shares: Array = np.interp(values, self.edges, cumulative / cumulative[-1])
        return shares

    def draw(self, u: float) -> float:
        """One draw, by the inverse of the distribution function.

        Args:
            u: Uniform on [0, 1).

        Returns:
            A value from the lowest edge up to and without the highest, never one of density 0.

        Raises:
            DecisionError: ``u`` is outside of [0, 1).
        """
        if not 0.0 <= u < 1.0:
            raise DecisionError(f"u is {u}: must be at least 0 and below 1")
        masses = self.masses
        cumulative = masses.cumsum()
        # Scaled by the sum, which rounding may leave beside 1; u < 1 keeps the product below it.
        target = u * cumulative[-1]
        piece = int(cumulative.searchsorted(target, side="right"))
        share = 1.0 - (cumulative[piece] - target) / masses[piece]
        low, high = float(self.edges[piece]), float(self.edges[piece + 1])
        value = low + float(share) * (high - low)
        return min(max(value, low), math.nextafter(high, low))  # what rounding moves stays inside
