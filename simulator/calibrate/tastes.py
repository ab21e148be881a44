"""What customers like: the share of each category, and how much customers differ in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import ndtri

from simulator.dynamics.shopper import N_CATEGORIES
from simulator.errors import WorldError

if TYPE_CHECKING:
    from simulator.calibrate.log import StoreLog

Array = npt.NDArray[np.float64]

LEAST_ORDERS = 200
LARGEST_SD = 6.0
N_DRAWN = 4_000


@dataclass(frozen=True, slots=True)
class Tastes:
    """Of `simulator.dynamics.population.Segment`.

    Args:
        means: Of each category, in logits, with a mean of 0 over categories.
        sd: Between customers.
        same: The chance that two orders of one customer are of one category, in the log.
    """

    means: tuple[float, float, float, float]
    sd: float
    same: float


def fit_tastes(log: StoreLog) -> Tastes:
    """Shares of categories, and the spread that makes customers repeat theirs as they do.

    Raises:
        WorldError: Too few orders of a known category.
    """
    known = log.category >= 0
    if known.sum() < LEAST_ORDERS:
        rule = f"must be {LEAST_ORDERS} at least: the log is too thin to tell what is liked"
        raise WorldError("orders of a known category", int(known.sum()), rule)
    _, who = np.unique(log.customer[known], return_inverse=True)
    counts = np.zeros((who.max() + 1, N_CATEGORIES))
    np.add.at(counts, (who, log.category[known]), 1.0)
    same = same_category(counts)
    # A category that nobody bought yet is rare, not impossible.
    shares = (counts.sum(0) + 0.5) / (counts.sum() + 0.5 * N_CATEGORIES)
    noise = ndtri(np.random.default_rng(0).uniform(1e-6, 1.0 - 1e-6, (N_DRAWN, N_CATEGORIES)))

    def repeats(sd: float) -> float:
        drawn = _drawn(_means(shares, noise, sd), noise, sd)
        return float((drawn**2).sum(1).mean()) - same

    ends = repeats(0.0), repeats(LARGEST_SD)
    sd = 0.0 if ends[0] >= 0.0 else LARGEST_SD if ends[1] <= 0.0 else brentq(repeats, 0, LARGEST_SD)
    a, b, c, d = _means(shares, noise, sd).tolist()
    return Tastes((a, b, c, d), float(sd), same)


def same_category(counts: Array) -> float:
    """The chance that two different orders of one customer are of one category.

    Args:
        counts: Orders by customer and category, (n_customers, n_categories).
    """
    total = counts.sum(1)
    pairs, alike = (total * (total - 1.0)).sum(), (counts * (counts - 1.0)).sum()
    return float(alike / pairs) if pairs > 0.0 else float("nan")


def _drawn(means: Array, noise: Array, sd: float) -> Array:
    """Shares of categories of each drawn customer."""
    weights = np.exp(means + sd * noise)
    return np.asarray(weights / weights.sum(1, keepdims=True))


def _means(shares: Array, noise: Array, sd: float) -> Array:
    """The means whose customers buy these shares together."""
    means = np.log(shares)
    for _ in range(30):
        means = means + np.log(shares / _drawn(means, noise, sd).mean(0))
    return np.asarray(means - means.mean())
