"""A store's own log, as calibration needs it: orders, and the prices at which things were sold.

What `simulator.calibrate.readers` makes of files and `simulator.calibrate.fidelity` of simulated
lives; everything that is fitted is fitted on this.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from simulator.errors import WorldError

Array = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Sales:
    """What was sold of each product in each week, and at what price.

    Args:
        product: Any number that tells products apart, (n,).
        week: Since any origin, (n,).
        units: Sold, (n,), above 0.
        price: Per unit, (n,), above 0.
    """

    product: Whole
    week: Whole
    units: Array
    price: Array


@dataclass(frozen=True, slots=True, eq=False)
class Coupons:
    """Campaigns that customers were sent, and whether they redeemed anything of them.

    Args:
        redeemed: One for each pair of a customer and a campaign, (n_pairs,) bool.
        days: How long a campaign lasts in the mean.
    """

    redeemed: npt.NDArray[np.bool_]
    days: float


@dataclass(frozen=True, slots=True, eq=False)
class StoreLog:
    """Orders of customers.

    Args:
        customer: Who, (n_orders,).
        day: When, in days since a Monday, (n_orders,).
        value_cents: What the order brought, (n_orders,).
        category: What it was mostly of, by its place in ``category_names``; -1 for unknown.
        category_names: At most as many as a simulated shop has.
        end_day: The last day that was observed.
        sales: None where the log tells nothing of prices.
        coupons: None where it tells nothing of coupons.

    Raises:
        WorldError: Columns of different lengths, or values that cannot be.
    """

    customer: Whole
    day: Whole
    value_cents: Array
    category: Whole
    category_names: tuple[str, ...] = ()
    end_day: int = field(default=0)
    sales: Sales | None = None
    coupons: Coupons | None = None

    def __post_init__(self) -> None:
        n = len(self.customer)
        for name in ("day", "value_cents", "category"):
            if getattr(self, name).shape != (n,):
                raise WorldError(name, getattr(self, name).shape, f"must be of {n} orders")
        if n == 0:
            raise WorldError("orders", 0, "must be some: the log holds none")
        if not (np.isfinite(self.value_cents) & (self.value_cents >= 0.0)).all():
            raise WorldError("value_cents", "NaN or negative", "must be numbers of at least 0")

    @property
    def first_days(self) -> tuple[Whole, Whole]:
        """Each customer, in order, and the day of the first order."""
        customers, first = np.unique(self.customer, return_inverse=True)
        days = np.full(len(customers), np.iinfo(np.int64).max)
        np.minimum.at(days, first, self.day)
        return customers, days
