"""How demand answers to prices: the elasticity, from prices that varied.

    log units(i, t) = e · log price(i, t) + product(i) + week(t) + noise

The same code runs on a store's sales and on simulated ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from simulator.errors import WorldError

if TYPE_CHECKING:
    from simulator.calibrate.log import Sales

Array = npt.NDArray[np.float64]

LEAST_SHARE_OF_WEEKS, LEAST_UNITS, LEAST_PRODUCTS, LEAST_SPREAD = 0.8, 8.0, 10, 0.02
LEAST_WEEKS = 8
SWEEPS = 50


@dataclass(frozen=True, slots=True)
class Elasticity:
    """By how many per cent demand changes where the price changes by one.

    Args:
        value: About -2 for groceries.
        standard_error: With products as clusters.
        n_products, n_rows: What it rests on.
    """

    value: float
    standard_error: float
    n_products: int
    n_rows: int


def fit_elasticity(sales: Sales) -> Elasticity:
    """Least squares within products and weeks, over products that sell steadily.

    Weeks in which nothing was sold are in no log; of what sells little they are the ones with the
    high price, and leaving them out makes demand look indifferent. So only products count that were
    sold in 80 % of the weeks, 8 units in the mean. Prices are what they are: where a store cuts
    prices when demand is high anyway, this answers for it. Week effects take out what all products
    share.

    Args:
        sales: Several rows of one product and week are added up.

    Raises:
        WorldError: Too few products or weeks, or prices that hardly varied.

    References:
        Bijmolt, van Heerde, Pieters. New Empirical Generalizations on the Determinants of Price
        Elasticity. Journal of Marketing Research 42(2), 2005.
    """
    product, week, units, price = _panel(sales)
    n_products = len(np.unique(product))
    if n_products < LEAST_PRODUCTS:
        rule = (
            f"must be {LEAST_PRODUCTS} at least that sell {LEAST_UNITS:g} units a week, over "
            f"{LEAST_WEEKS} weeks: the log is too thin to tell how demand answers to prices"
        )
        raise WorldError("products", n_products, rule)
    x = _within(np.log(price), product, week)
    y = _within(np.log(units), product, week)
    spread = float(x.std())
    if spread < LEAST_SPREAD:
        rule = f"must spread by {LEAST_SPREAD:.0%} at least: prices hardly varied"
        raise WorldError("prices", round(spread, 4), rule)
    slope = float(x @ y / (x @ x))
    scores = np.bincount(product, weights=x * (y - slope * x))
    error = float(np.sqrt((scores**2).sum()) / (x @ x))
    return Elasticity(slope, error, n_products, len(x))


def _panel(sales: Sales) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Array, Array]:
    """A row for each product and week, of products that sell steadily; both renumbered."""
    keys, row = np.unique(np.stack([sales.product, sales.week]), axis=1, return_inverse=True)
    row = row.ravel()
    units = np.bincount(row, weights=sales.units).astype(np.float64)
    price = np.bincount(row, weights=sales.units * sales.price) / units
    _, product = np.unique(keys[0], return_inverse=True)
    n_weeks = len(np.unique(keys[1]))
    sold_in = np.bincount(product)
    steady = sold_in >= max(LEAST_SHARE_OF_WEEKS * n_weeks, LEAST_WEEKS)
    steady &= np.bincount(product, weights=units) >= LEAST_UNITS * sold_in
    often = steady[product]
    _, product = np.unique(keys[0][often], return_inverse=True)
    _, week = np.unique(keys[1][often], return_inverse=True)
    return product, week, units[often], price[often]


def _within(values: Array, product: npt.NDArray[np.int64], week: npt.NDArray[np.int64]) -> Array:
    """What is left without the means of product and week, by taking them out in turn."""
    left = values - values.mean()
    for _ in range(SWEEPS):
        for group in (product, week):
            left = left - (np.bincount(group, weights=left) / np.bincount(group))[group]
    return np.asarray(left, np.float64)
