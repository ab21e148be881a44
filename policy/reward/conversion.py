"""What happened, reduced to what a reward can depend on.

Between the log of events and ``spec``, which says what a conversion is worth to a decision.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Line:
    """One product of a conversion.

    Args:
        product_id: The shop's id of the product, if any.
        category: Category of the product, if any.
        brand: Brand of the product, if any.
        revenue_cents: What the whole line brought, in minor units.
        quantity: Pieces.
        cost_cents: What the whole line cost the shop, in minor units; 0 where unknown.
    """

    product_id: str | None
    category: str | None
    brand: str | None
    revenue_cents: int
    quantity: int = 1
    cost_cents: int = 0


@dataclass(frozen=True, slots=True)
class Conversion:
    """One event that may earn a reward; its properties are the names of a value expression.

    Args:
        name: Name of the event, such as ``Order Completed``.
        revenue_cents: Revenue of the whole conversion, without shipping and tax, in minor units.
        lines: Its products.
        total_cents: What was paid in all; 0 where unknown. So the amounts that follow.

    Example:
        >>> tea, salt = Line("t", "Tea", None, 900, 3, 300), Line("s", "Salt", None, 100)
        >>> order = Conversion("Order Completed", 1_000, (tea, salt), discount_cents=200)
        >>> part = order.matching("category", "Tea")
        >>> part.revenue, part.cost, part.discount, part.quantity
        (9.0, 3.0, 1.8, 3.0)
    """

    name: str
    revenue_cents: int
    lines: tuple[Line, ...] = ()
    total_cents: int = 0
    shipping_cents: int = 0
    tax_cents: int = 0
    discount_cents: int = 0

    @property
    def hit(self) -> float:
        """1: it happened."""
        return 1.0

    @property
    def revenue(self) -> float:
        """Revenue in currency units."""
        return self.revenue_cents / 100

    @property
    def cost(self) -> float:
        """What its products cost the shop, in currency units."""
        return sum([line.cost_cents for line in self.lines]) / 100

    @property
    def discount(self) -> float:
        """Discount in currency units."""
        return self.discount_cents / 100

    @property
    def shipping(self) -> float:
        """Shipping in currency units."""
        return self.shipping_cents / 100

    @property
    def tax(self) -> float:
        """Tax in currency units."""
        return self.tax_cents / 100

    @property
    def quantity(self) -> float:
        """Pieces of its products."""
        return float(sum([line.quantity for line in self.lines]))

    def matching(self, attribute: str, value: str | None) -> Conversion | None:
        """The part of it whose products have the value; None for nothing.

        Revenue is that of the products; amounts of the whole order count by their share of it.

        Args:
            attribute: ``category``, ``brand`` or ``product_id``.
            value: What it must be; None matches nothing.
        """
        if value is None:
            return None
        lines = tuple([line for line in self.lines if getattr(line, attribute) == value])
        return self._part(lines, sum([line.revenue_cents for line in lines])) if lines else None

    def with_pieces(self, pieces: Sequence[int]) -> Conversion:
        """The same with fewer pieces of some lines, and revenue in the share that stays.

        Args:
            pieces: How many stay of each line, at most its quantity, (n_lines,).
        """
        left = tuple(
            [
                line if count == line.quantity else _scaled(line, count / line.quantity)
                for line, count in zip(self.lines, pieces, strict=True)
                if count
            ]
        )
        return self._part(left, round(self.revenue_cents * self._share(left)))

    def with_revenue(self, revenue_cents: int) -> Conversion:
        """The same goods for less money, taken off each line in proportion."""
        share = revenue_cents / self.revenue_cents if self.revenue_cents else 0.0
        lines = tuple(
            replace(line, revenue_cents=round(line.revenue_cents * share)) for line in self.lines
        )
        return replace(self, revenue_cents=revenue_cents, lines=lines)

    def _part(self, lines: tuple[Line, ...], revenue_cents: int) -> Conversion:
        amounts = (self.total_cents, self.shipping_cents, self.tax_cents, self.discount_cents)
        if any(amounts):
            share = self._share(lines)
            amounts = tuple([round(cents * share) for cents in amounts])  # type: ignore[assignment]
        return Conversion(self.name, revenue_cents, lines, *amounts)

    def _share(self, lines: Sequence[Line]) -> float:
        """What part of the price the lines are; of the pieces, where nothing has a price."""
        whole, part = (sum([x.revenue_cents for x in of]) for of in (self.lines, lines))
        if not whole:
            whole, part = (sum([x.quantity for x in of]) for of in (self.lines, lines))
        return part / whole if whole else 1.0


def _scaled(line: Line, share: float) -> Line:
    return replace(
        line,
        revenue_cents=round(line.revenue_cents * share),
        quantity=round(line.quantity * share),
        cost_cents=round(line.cost_cents * share),
    )
