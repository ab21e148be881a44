"""Real baskets in time order, held as columns.

Where it stands: a loader (`completejourney.py`) fills it; the replay client reads one `Basket` at
a time from it, and the reference policies read its matrix of outcomes.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

NO_NAME = -1
"""Code of a line whose category or brand the data does not name."""


class ReplayError(Exception):
    """The replay world cannot be built; the message names what is wrong and the remedy."""


@dataclass(frozen=True, slots=True)
class Line:
    """One product of a basket. `price_cents` is for one piece, rounded."""

    product_id: str
    category: str | None
    brand: str | None
    price_cents: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Basket:
    """What one household bought in one go. `total_cents` is what the store received."""

    order_id: str
    household: int
    timestamp: datetime
    total_cents: int
    discount_cents: int
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class LineCounts:
    """What the loader did with the lines that are not plain purchases.

    Args:
        n_lines: Lines read, of the chosen households.
        left_out: Lines of nothing bought (no quantity and no value) or given back (value below
            zero); they are not in the baskets.
        by_measure: Lines whose quantity is a measure (fuel); kept as one piece at the line's value.
        without_category: Lines kept in their basket that no tile can match.
        without_value: Lines kept although the store received nothing for them (coupons).
    """

    n_lines: int
    left_out: int
    by_measure: int
    without_category: int
    without_value: int


@dataclass(frozen=True, slots=True, eq=False)
class Baskets:
    """Baskets in time order; the lines of basket `i` are `offsets[i]` to `offsets[i + 1]`.

    Args:
        households: Household of each basket, shape (n_baskets,).
        order_ids: Basket number of the data, shape (n_baskets,).
        timestamps: When it was paid, as datetime64[s] in UTC, ascending, shape (n_baskets,).
        offsets: First line of each basket, and the end, shape (n_baskets + 1,).
        product_ids: Product of each line, shape (n_lines,).
        categories: Index into `category_names`, or -1, shape (n_lines,).
        brands: Index into `brand_names`, or -1, shape (n_lines,).
        quantities: Pieces, at least 1, shape (n_lines,).
        value_cents: What the store received for the line, shape (n_lines,).
        discount_cents: What loyalty card and coupons took off the line, shape (n_lines,).
        category_names: The categories' names.
        brand_names: The brands' names.
        counts: What became of lines that are not plain purchases.
    """

    households: npt.NDArray[np.int64]
    order_ids: npt.NDArray[np.int64]
    timestamps: npt.NDArray[np.datetime64]
    offsets: npt.NDArray[np.int64]
    product_ids: npt.NDArray[np.int64]
    categories: npt.NDArray[np.int64]
    brands: npt.NDArray[np.int64]
    quantities: npt.NDArray[np.int64]
    value_cents: npt.NDArray[np.int64]
    discount_cents: npt.NDArray[np.int64]
    category_names: tuple[str, ...]
    brand_names: tuple[str, ...]
    counts: LineCounts

    def __len__(self) -> int:
        return len(self.households)

    def basket(self, index: int) -> Basket:
        """The basket at `index`, counted in time order."""
        rows = range(int(self.offsets[index]), int(self.offsets[index + 1]))
        return Basket(
            order_id=str(self.order_ids[index]),
            household=int(self.households[index]),
            timestamp=self.timestamps[index].item().replace(tzinfo=UTC),
            total_cents=int(self.value_cents[rows.start : rows.stop].sum()),
            discount_cents=int(self.discount_cents[rows.start : rows.stop].sum()),
            lines=tuple(self._line(row) for row in rows),
        )

    def _line(self, row: int) -> Line:
        quantity = int(self.quantities[row])
        return Line(
            product_id=str(self.product_ids[row]),
            category=_name(self.category_names, int(self.categories[row])),
            brand=_name(self.brand_names, int(self.brands[row])),
            price_cents=round(int(self.value_cents[row]) / quantity),
            quantity=quantity,
        )

    def most_bought(self, n_categories: int, without: Collection[str] = ()) -> tuple[str, ...]:
        """Names of the categories in most baskets, the most bought first; ties by name."""
        n_baskets = self._holds(range(len(self.category_names))).sum(axis=0)
        codes = [code for code in range(len(n_baskets)) if n_baskets[code]]
        codes.sort(key=lambda code: (-n_baskets[code], self.category_names[code]))
        names = [self.category_names[code] for code in codes]
        return tuple(name for name in names if name not in without)[:n_categories]

    def outcomes(self, tiles: Sequence[str]) -> npt.NDArray[np.bool_]:
        """What each tile would have earned: does the basket hold its category?

        Args:
            tiles: Category of each tile.

        Returns:
            Shape (n_baskets, n_tiles).

        Raises:
            ReplayError: No line of the data is in one of the categories.
        """
        unknown = sorted(set(tiles) - set(self.category_names))
        if unknown:
            raise ReplayError(f"category {unknown[0]!r} is not in the data; choose another tile")
        return self._holds([self.category_names.index(tile) for tile in tiles])

    def _holds(self, codes: Sequence[int]) -> npt.NDArray[np.bool_]:
        column = np.full(len(self.category_names) + 1, len(codes))
        column[list(codes)] = np.arange(len(codes))
        baskets = np.repeat(np.arange(len(self)), np.diff(self.offsets))
        holds = np.zeros((len(self), len(codes) + 1), dtype=np.bool_)
        holds[baskets, column[self.categories]] = True
        return holds[:, :-1]

    def second_half(self) -> npt.NDArray[np.bool_]:
        """Which baskets were paid after the middle of the time that the data covers."""
        first, last = self.timestamps[0], self.timestamps[-1]
        return np.asarray(self.timestamps > first + (last - first) // 2, dtype=np.bool_)


def _name(names: tuple[str, ...], code: int) -> str | None:
    return None if code == NO_NAME else names[code]
