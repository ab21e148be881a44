"""Logs from files: a CSV of anyone's, CDNOW's text, Complete Journey's tables.

Money becomes cents, dates become days since the Monday on or before the year in which the log
begins, so that the weeks of the log are those of the simulated year.
"""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.calibrate.log import Coupons, Sales, StoreLog
from simulator.dynamics.shopper import N_CATEGORIES
from simulator.errors import MissingExtra, WorldError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

NEEDED = ("customer", "date", "value")
MOST_UNITS = 100
"""A larger quantity is a measure (fuel comes in thousands), not a number of pieces."""


def read_log(path: Path) -> StoreLog:
    """The log at a path.

    Args:
        path: A folder of Complete Journey's tables, CDNOW's `CDNOW_sample.txt.gz`, or a CSV file
            with the columns customer, date (YYYY-MM-DD) and value, a line for each thing bought or
            each order, and, where they are known, category, product, units.

    Raises:
        WorldError: It cannot be read, or a line breaks a rule; the message names it.
        MissingExtra: Parquet without pyarrow.
    """
    try:
        if path.is_dir():
            return _complete_journey(path)
        if path.name.startswith("CDNOW"):
            return _orders(_cdnow(path))
        return _orders(_csv(path))
    except (OSError, UnicodeDecodeError, csv.Error) as cause:
        raise WorldError("log", str(path), f"cannot be read: {cause}") from None


Line = tuple[str, date, float, str, str, float]
"""Customer, date, value in units, category, product, units; "" for unknown."""


def _cdnow(path: Path) -> Iterator[Line]:
    with gzip.open(path, "rt", encoding="ascii") as file:
        for line in file:
            _, customer, when, _, value = line.split()
            yield customer, _date(when, path), float(value), "", "", 1.0


def _csv(path: Path) -> Iterator[Line]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        for name in NEEDED:
            if name not in (rows.fieldnames or ()):
                raise WorldError("log", str(path), f"has no column {name!r}")
        for number, row in enumerate(rows, start=2):
            where = f"line {number} of {path.name}"
            yield (
                row["customer"],
                _date(row["date"], where),
                _number(row["value"], f"value in {where}"),
                row.get("category") or "",
                row.get("product") or "",
                _number(row.get("units") or "1", f"units in {where}"),
            )


def _date(text: str, where: object) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise WorldError("date", text, f"must be such as 2026-01-31, in {where}") from None


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value < 1e12:
        raise WorldError(where, text, "must be a number of at least 0")
    return value


def _orders(lines: Iterator[Line]) -> StoreLog:
    """The lines of a file by order: one for each customer and day."""
    read = list(lines)
    if not read:
        raise WorldError("log", 0, "holds no lines")
    customers, whens, values, categories, products, units = zip(*read, strict=True)
    _, customer = np.unique(np.array(customers), return_inverse=True)
    origin = _origin(min(whens))
    day = np.array([(when - origin).days for when in whens])
    names, category = _largest(categories)
    _, product = np.unique(np.array(products), return_inverse=True)
    value, pieces = np.array(values), np.array(units)
    known = np.array([bool(name) for name in products]) & (value > 0.0) & (pieces > 0.0)
    pieces = np.where(pieces > 0.0, pieces, 1.0)
    sales = Sales(product[known], day[known] // 7, pieces[known], (value / pieces)[known])
    return _by_order(
        customer, day, 100.0 * value, category, names, sales if known.any() else None, None
    )


def _by_order(
    customer: npt.NDArray[np.int64], day: npt.NDArray[np.int64], cents: npt.NDArray[np.float64],
    category: npt.NDArray[np.int64], names: tuple[str, ...], sales: Sales | None,
    coupons: Coupons | None,
) -> StoreLog:  # fmt: skip
    keys, order = np.unique(np.stack([customer, day]), axis=1, return_inverse=True)
    order = order.ravel()
    money = np.zeros((keys.shape[1], N_CATEGORIES))
    known = category >= 0
    # A line without a price still says what was bought.
    np.add.at(money, (order[known], category[known]), cents[known] + 1e-3)
    mostly = np.where(money.any(1), money.argmax(1), -1)
    value = np.bincount(order, weights=cents).astype(np.float64)
    return StoreLog(keys[0], keys[1], value, mostly, names, int(day.max()), sales, coupons)


def _largest(categories: Sequence[str]) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    """The most frequent categories, and each line's place among them; -1 for the others."""
    counts = Counter(name for name in categories if name)
    names = tuple(name for name, _ in counts.most_common(N_CATEGORIES))
    places = {name: place for place, name in enumerate(names)}
    return names, np.array([places.get(name, -1) for name in categories], np.int64)


def _origin(first: date) -> date:
    new_year = date(first.year, 1, 1)
    return new_year - timedelta(days=new_year.weekday())


def _complete_journey(folder: Path) -> StoreLog:
    bought = _table(folder, "transactions", "household_id", "product_id", "quantity",
                    "sales_value", "transaction_timestamp")  # fmt: skip
    products = _table(folder, "products", "product_id", "department")
    when = bought["transaction_timestamp"].astype("datetime64[D]")
    origin = np.datetime64(_origin(when.min().astype(date)))
    day = (when - origin).astype(np.int64)
    order = np.argsort(products["product_id"])
    rows = np.searchsorted(products["product_id"], bought["product_id"], sorter=order)
    department = products["department"][order[np.minimum(rows, len(order) - 1)]]
    names, category = _largest([str(name or "") for name in department])
    value, pieces = bought["sales_value"], bought["quantity"].astype(np.float64)
    sold = (value > 0.0) & (pieces > 0.0) & (pieces <= MOST_UNITS)
    price = (value / np.maximum(pieces, 1.0))[sold]
    sales = Sales(bought["product_id"][sold], day[sold] // 7, pieces[sold], price)
    customer = bought["household_id"].astype(np.int64)
    cents = np.round(100.0 * np.maximum(value, 0.0))
    return _by_order(customer, day, cents, category, names, sales, _coupons(folder))


def _coupons(folder: Path) -> Coupons:
    sent = _table(folder, "campaigns", "campaign_id", "household_id")
    used = _table(folder, "coupon_redemptions", "campaign_id", "household_id")
    pairs = {(int(c), int(h)) for c, h in zip(*used.values(), strict=True)}
    told = zip(sent["campaign_id"], sent["household_id"], strict=True)
    dates = _table(folder, "campaign_descriptions", "start_date", "end_date")
    lasted = (dates["end_date"] - dates["start_date"]) / np.timedelta64(1, "D")
    redeemed = np.array([(int(c), int(h)) in pairs for c, h in told])
    return Coupons(redeemed, float(lasted.mean()))


def _table(folder: Path, name: str, *columns: str) -> dict[str, npt.NDArray[Any]]:
    try:
        import pyarrow as pa  # noqa: PLC0415  # of the extra parquet
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError:
        raise MissingExtra("pyarrow", "parquet") from None
    path = folder / f"{name}.parquet"
    try:
        table = pq.read_table(path, columns=list(columns))
    except (pa.ArrowException, KeyError) as cause:
        raise WorldError("log", str(path), f"cannot be read: {cause}") from None
    return {column: table[column].to_numpy() for column in columns}
