"""Who the shoppers are: segments, and the distributions that each draws its traits from.

A shopper's traits are a function of (seed, id), like every other draw.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import betaincinv, gammaincinv, ndtri

from simulator.dynamics.draws import shopper_keys, uniforms
from simulator.dynamics.shopper import N_CATEGORIES, N_TRAITS, Traits, rows_of
from simulator.errors import WorldError

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

TRAIT_SALT = np.uint64(0x5E6D3A1B9C27F481)
"""Keeps the draws of birth apart from those of life."""

N_BIRTH_DRAWS = 14
DAYS_A_WEEK = 7.0


@dataclass(frozen=True, slots=True)
class Segment:
    """Distributions of one kind of shopper.

    Args:
        name: What reports call it.
        share: Of the population; shares are normalised.
        tastes: Mean taste of each category, in logits.
        taste_sd: Around them.
        sensitivity, sensitivity_cv: Log-normal with this mean and coefficient of variation.
        visit_shape, visit_rate: Visits a week are Gamma(r, alpha), with mean r / alpha.
        dropout_a, dropout_b: The chance to leave after an order is Beta(a, b).
        spend_q, spend_v: A shopper's mean basket is p / ν cents, with ν from Gamma(q, v); p is
            the population's.
        intent, intent_sd: Normal.
        redemption, store_share, open_rate: Means of Beta distributions of strength 8.

    Raises:
        WorldError: A number is NaN or outside of its range.
    """

    name: str = "everyone"
    share: float = 1.0
    tastes: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    taste_sd: float = 0.7
    sensitivity: float = 4.0
    sensitivity_cv: float = 0.3
    visit_shape: float = 1.2
    visit_rate: float = 1.2
    dropout_a: float = 0.8
    dropout_b: float = 12.0
    spend_q: float = 3.74
    spend_v: float = 1500.0
    intent: float = -1.0
    intent_sd: float = 0.4
    redemption: float = 0.12
    store_share: float = 0.3
    open_rate: float = 0.3

    def __post_init__(self) -> None:
        for field in fields(self)[3:]:
            value = getattr(self, field.name)
            low = -50.0 if field.name == "intent" else 0.0
            high = 1.0 if field.name in ("redemption", "store_share", "open_rate") else 1e9
            if not low <= value <= high:
                raise WorldError(field.name, value, f"must be from {low:g} to {high:g}")
        if not 0.0 < self.share < math.inf:
            raise WorldError("share", self.share, "must be a number above 0")
        if len(self.tastes) != N_CATEGORIES or not all(abs(taste) <= 50 for taste in self.tastes):
            raise WorldError("tastes", self.tastes, f"must be {N_CATEGORIES} numbers within ±50")
        for name in ("visit_shape", "visit_rate", "dropout_a", "dropout_b", "spend_v"):
            if not getattr(self, name) > 0.0:
                raise WorldError(name, getattr(self, name), "must be above 0")
        if not self.spend_q > 1.0:
            raise WorldError("spend_q", self.spend_q, "must be above 1, or spend has no mean")


@dataclass(frozen=True, slots=True)
class Population:
    """A mixture of segments.

    Args:
        segments: At least one.
        spend_p: Shape p of the baskets of one shopper; they vary by 1 / √p around their mean.

    Example:
        >>> traits = rows_of(Traits, Population().traits(0, np.arange(10_000)))
        >>> bool(0.9 < 7.0 * traits.visit_rate.mean() < 1.1)
        True
    """

    segments: tuple[Segment, ...] = (Segment(),)
    spend_p: float = 6.25

    def __post_init__(self) -> None:
        if not self.segments:
            raise WorldError("segments", self.segments, "must be at least one")
        if not 0.0 < self.spend_p < 1e6:
            raise WorldError("spend_p", self.spend_p, "must be above 0 and below 1e6")

    def traits(self, seed: int, shoppers: npt.NDArray[np.int64]) -> Array:
        """The traits of shoppers, rows as in ``Traits``.

        Args:
            seed: At least 0.
            shoppers: Ids, each at least 0, (n,).

        Returns:
            (n_traits, n).
        """
        keys = shopper_keys(seed, shoppers) ^ TRAIT_SALT
        luck = uniforms(keys, np.zeros(len(keys), np.int64), N_BIRTH_DRAWS)
        luck = np.maximum(luck, 2.0**-33)  # quantiles of 0 are infinite
        shares = np.cumsum([segment.share for segment in self.segments])
        which = np.searchsorted(shares, luck[0] * shares[-1], side="right")
        which = np.minimum(which, len(self.segments) - 1)
        block = np.empty((N_TRAITS, len(keys)))
        for index, segment in enumerate(self.segments):
            mine = which == index
            block[:, mine] = self._drawn(segment, luck[1:, mine])
        rows_of(Traits, block).segment[:] = which
        return block

    def _drawn(self, segment: Segment, luck: Array) -> Array:
        variance = math.log1p(segment.sensitivity_cv**2)
        per_week = gammaincinv(segment.visit_shape, luck[1]) / segment.visit_rate
        nu = gammaincinv(segment.spend_q, luck[3]) / segment.spend_v
        tastes = [
            np.exp(mean + segment.taste_sd * ndtri(luck[7 + c]))
            for c, mean in enumerate(segment.tastes)
        ]
        return np.stack(
            Traits(
                np.zeros(luck.shape[1]),
                tastes[0],
                tastes[1],
                tastes[2],
                tastes[3],
                segment.sensitivity * np.exp(math.sqrt(variance) * ndtri(luck[0]) - variance / 2),
                per_week / DAYS_A_WEEK,
                betaincinv(segment.dropout_a, segment.dropout_b, luck[2]),
                self.spend_p / nu,
                segment.intent + segment.intent_sd * ndtri(luck[4]),
                _share(segment.redemption, luck[5]),
                _share(segment.store_share, luck[6]),
                _share(segment.open_rate, luck[11]),
            )
        )


STRENGTH = 8.0


def _share(mean: float, luck: Array) -> Array:
    """Beta quantiles with this mean; a mean of 0 or 1 is the same for everyone."""
    if mean in (0.0, 1.0):
        return np.full(luck.shape, mean)
    quantiles: Array = betaincinv(STRENGTH * mean, STRENGTH * (1.0 - mean), luck)
    return quantiles
