"""Timing and spend from a log of purchases: BG/NBD and Gamma–Gamma, by maximum likelihood.

What is fitted goes into `simulator.dynamics.population.Segment`: visits, dropout and spend.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import gammaln

from simulator.errors import WorldError

Array = npt.NDArray[np.float64]

LEAST_CUSTOMERS = 100
LEAST_REPEATERS = 30
HELD_SD = 2.0
"""Of the logarithms of BG/NBD's parameters, where the log alone does not settle them."""


@dataclass(frozen=True, slots=True, eq=False)
class Purchases:
    """What the models need of each customer; their sufficient statistics.

    Args:
        frequency: Repeat purchases, on days of their own, (n,).
        recency: Weeks from the first purchase to the last, (n,).
        age: Weeks from the first purchase to the end of the observation, (n,).
        spend: Mean value of the repeat purchases, (n,); not looked at where there are none.

    Raises:
        WorldError: Shapes that differ, values that cannot be, or too few customers.
    """

    frequency: Array
    recency: Array
    age: Array
    spend: Array | None = None

    def __post_init__(self) -> None:
        n = len(self.frequency)
        if self.recency.shape != (n,) or self.age.shape != (n,):
            raise WorldError(
                "recency, age", (self.recency.shape, self.age.shape), f"must be ({n},)"
            )
        sound = (self.frequency >= 0) & (self.recency >= 0) & (self.recency <= self.age)
        if not sound.all():
            row = int(np.flatnonzero(~sound)[0])
            values = (self.frequency[row], self.recency[row], self.age[row])
            rule = "must hold 0 <= frequency and 0 <= recency <= age"
            raise WorldError(f"customer {row}", tuple(map(float, values)), rule)
        repeaters = int((self.frequency > 0).sum())
        if n < LEAST_CUSTOMERS or repeaters < LEAST_REPEATERS:
            rule = (
                f"is too thin a log: {LEAST_CUSTOMERS} customers, of whom {LEAST_REPEATERS} "
                "came again, at least; observe longer, or use a shipped scenario"
            )
            raise WorldError("customers, repeaters", (n, repeaters), rule)


def purchases_of(
    customers: npt.NDArray[np.int64], days: npt.NDArray[np.int64], values: Array, end_day: int
) -> Purchases:
    """The statistics of a log; purchases of one customer on one day are one.

    Args:
        customers: Who, (n_purchases,).
        days: When, in days since any origin, (n_purchases,).
        values: What it brought, (n_purchases,).
        end_day: Last day of the observation; what came later is left out.

    Example:
        >>> whole = purchases_of(
        ...     np.repeat(np.arange(200), 2), np.tile([0, 14], 200), np.ones(400), end_day=28
        ... )
        >>> float(whole.frequency[0]), float(whole.recency[0]), float(whole.age[0])
        (1.0, 2.0, 4.0)
    """
    seen = days <= end_day
    pairs, at = np.unique(np.stack([customers[seen], days[seen]]), axis=1, return_inverse=True)
    money = np.bincount(at.ravel(), weights=values[seen])
    _, first, counts = np.unique(pairs[0], return_index=True, return_counts=True)
    last = first + counts - 1
    total = np.add.reduceat(money, first) - money[first]
    frequency = (counts - 1).astype(np.float64)
    return Purchases(
        frequency,
        (pairs[1][last] - pairs[1][first]) / 7.0,
        (end_day - pairs[1][first]) / 7.0,
        total / np.maximum(frequency, 1.0),
    )


@dataclass(frozen=True, slots=True)
class Timing:
    """BG/NBD: purchases are Poisson with a Gamma(r, alpha) rate a week; Beta(a, b) leave after one.

    Args:
        r, alpha, a, b: As published.
        log_likelihood: Of the log.
    """

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float


@dataclass(frozen=True, slots=True)
class Spend:
    """Gamma–Gamma: a purchase is Gamma(p, ν), and ν of a customer Gamma(q, v).

    Args:
        p, q, v: As published.
        log_likelihood: Of the log.
    """

    p: float
    q: float
    v: float
    log_likelihood: float

    @property
    def mean(self) -> float:
        """Mean value of a purchase over customers; infinite unless q > 1."""
        return self.p * self.v / (self.q - 1.0) if self.q > 1.0 else float("inf")


def fit_timing(log: Purchases) -> Timing:
    """The maximum of eq. 6's likelihood; held to moderate parameters where that has none.

    Raises:
        WorldError: The search does not converge.

    References:
        Fader, Hardie, Lee. "Counting Your Customers" the Easy Way. Marketing Science 24(2), 2005.
    """
    x, t_x, t = log.frequency, log.recency, log.age

    def loss(logs: Array) -> float:
        r, alpha, a, b = np.exp(logs)
        shared = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
        shared = shared + gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
        alive = -(r + x) * np.log(alpha + t)
        # Only who came again can have left after coming.
        gone = np.log(a) - np.log(b + np.maximum(x, 1.0) - 1.0) - (r + x) * np.log(alpha + t_x)
        both = np.where(x > 0.0, np.logaddexp(alive, gone), alive)
        return -float((shared + both).mean())

    def held(logs: Array) -> float:
        return loss(logs) + float((logs**2).sum()) / (2.0 * HELD_SD**2 * len(x))

    try:
        logs, _ = _minimum(loss, np.zeros(4), "BG/NBD")
    except WorldError:
        # Where hardly anybody leaves, a and b run away together: any a / b near 0 fits as well.
        logs, _ = _minimum(held, np.zeros(4), "BG/NBD")
    value = loss(logs)
    r, alpha, a, b = (float(one) for one in np.exp(logs))
    return Timing(r, alpha, a, b, -value * len(x))


def fit_spend(log: Purchases) -> Spend:
    """The maximum of eq. 1a's likelihood, over customers who came again.

    Raises:
        WorldError: No spend in the log, a purchase without value, or no convergence.

    References:
        Fader, Hardie. The Gamma-Gamma Model of Monetary Value. Note, 2013.
    """
    if log.spend is None:
        raise WorldError("spend", None, "must be given to fit what customers spend")
    again = log.frequency > 0
    x, m = log.frequency[again], log.spend[again]
    if not (m > 0.0).all():
        again_worth = int((m > 0.0).sum())
        if again_worth < LEAST_REPEATERS:
            raise WorldError(
                "spend", again_worth, f"must be above 0 for {LEAST_REPEATERS} customers"
            )
        x, m = x[m > 0.0], m[m > 0.0]

    def loss(logs: Array) -> float:
        p, q, v = np.exp(logs)
        terms = gammaln(p * x + q) - gammaln(p * x) - gammaln(q) + q * np.log(v)
        terms = terms + (p * x - 1.0) * np.log(m) + p * x * np.log(x)
        return -float((terms - (p * x + q) * np.log(x * m + v)).mean())

    logs, value = _minimum(loss, np.array([1.0, 1.0, np.log(m.mean())]), "Gamma-Gamma")
    p, q, v = (float(one) for one in np.exp(logs))
    return Spend(p, q, v, -value * len(x))


def _minimum(loss: object, start: Array, name: str) -> tuple[Array, float]:
    options = {"maxiter": 20_000, "xatol": 1e-8, "fatol": 1e-12}
    found = minimize(loss, start, method="Nelder-Mead", options=options)
    if not found.success or not np.isfinite(found.fun) or np.abs(found.x).max() > 15.0:
        raise WorldError(name, found.x.round(2).tolist(), "does not converge on this log")
    return np.asarray(found.x, np.float64), float(found.fun)
