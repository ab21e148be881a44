"""Builds small folders of tables in the layout of Complete Journey."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

START = datetime(2017, 1, 1, 9)  # noqa: DTZ001 - the data has no zone


class Row(NamedTuple):
    """One line of `transactions.parquet`."""

    household_id: int
    basket_id: int
    product_id: int
    quantity: int = 1
    sales_value: float = 1.0
    retail_disc: float = 0.0
    coupon_disc: float = 0.0
    coupon_match_disc: float = 0.0
    hours: float = 0.0


def write_tables(
    directory: Path, rows: Sequence[Row], products: Sequence[tuple[int, str | None, str | None]]
) -> Path:
    """Write both tables; a product is (product_id, product_category, brand)."""
    transactions: dict[str, Any] = {
        name: [getattr(row, name) for row in rows] for name in Row._fields if name != "hours"
    }
    times = [START + timedelta(hours=row.hours) for row in rows]
    transactions["transaction_timestamp"] = pa.array(times, pa.timestamp("ns"))
    pq.write_table(pa.table(transactions), directory / "transactions.parquet")
    names = ("product_id", "product_category", "brand")
    columns = dict(zip(names, zip(*products, strict=True), strict=True))
    pq.write_table(
        pa.table({name: pa.array(list(column)) for name, column in columns.items()}),
        directory / "products.parquet",
    )
    return directory


def write_households(directory: Path, n_households: int, n_baskets: int, seed: int = 0) -> Path:
    """A year of synthetic households; each has one category that it buys most of the time."""
    rng = np.random.default_rng(seed)
    products = [(number, f"CATEGORY {number}", "National") for number in range(1, 26)]
    rows = []
    for household in range(1, n_households + 1):
        favourite = int(rng.integers(1, 26))
        for basket in range(n_baskets):
            bought = {int(product) for product in rng.integers(1, 26, size=2)}
            if rng.random() < 0.8:
                bought.add(favourite)
            hours = 24 * 364 * (basket + float(rng.random())) / n_baskets
            rows += [
                Row(household, 1000 * household + basket, product, 1, 2.5, 0.5, hours=hours)
                for product in sorted(bought)
            ]
    return write_tables(directory, rows, products)
