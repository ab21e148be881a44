"""Refunds: what is left of an order once some or all of it was taken back.

In front of ``spec``: an order is worth to a decision what its net is worth, whichever of the order
and its refunds was heard of first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from policy.reward.conversion import Conversion, Line


@dataclass(frozen=True, slots=True)
class Refund:
    """One message that takes back an order or a part of it.

    Two that are equal are one refund, reported twice.

    Args:
        happened_at_us: When, in microseconds since 1970.
        whole: The order was cancelled: nothing of it is left, whatever the rest says.
        lines: Products that came back, by id and pieces; what is known of the order counts, their
            price only where the order does not have them.
        revenue_cents: Money that was paid back, without shipping and tax; None where not said.
        total_cents: The same with shipping and tax.
    """

    happened_at_us: int
    whole: bool = False
    lines: tuple[Line, ...] = ()
    revenue_cents: int | None = None
    total_cents: int | None = None


def net(order: Conversion, refunds: Iterable[Refund]) -> Conversion | None:
    """The order without what was taken back; the order of the refunds does not matter.

    * Products that came back take their pieces, revenue and cost with them, never more than was
      ordered: a product that is refunded twice came back once.
    * Where a refund names no product of the order, the money that it names goes off the revenue.
    * A refund that names neither products nor money takes back the order.

    Args:
        order: As it was placed.
        refunds: Those that equal another one count once.

    Returns:
        What is left; None when that is nothing: the order counts as never placed.

    Example:
        >>> from policy.reward.conversion import Conversion, Line
        >>> tea, salt = Line("t", "Tea", None, 900, 3), Line("s", "Salt", None, 100)
        >>> order = Conversion("Order Completed", 1_000, (tea, salt))
        >>> net(order, [Refund(0, lines=(Line("t", None, None, 0, 2),))]).revenue_cents
        400
        >>> net(order, [Refund(0, revenue_cents=250), Refund(1, revenue_cents=250)]).revenue_cents
        500
        >>> print(net(order, [Refund(0, total_cents=1_000)]))
        None
    """
    distinct = set(refunds)
    returned: dict[str, int] = {}
    money_cents = 0
    for refund in distinct:
        known = _of(order, refund)
        if refund.whole or _names_nothing(refund):
            return None
        for line in known:
            returned[str(line.product_id)] = returned.get(str(line.product_id), 0) + line.quantity
        if not known:
            money_cents += _money_cents(order, refund)
    return _without(order, returned, money_cents)


def _without(order: Conversion, returned: dict[str, int], money_cents: int) -> Conversion | None:
    left = order
    if returned:
        pieces = _pieces_left(order.lines, returned)
        if not any(pieces):
            return None
        left = order.with_pieces(pieces)
    if money_cents:
        if money_cents >= left.revenue_cents:
            return None
        left = left.with_revenue(left.revenue_cents - money_cents)
    return left


def _pieces_left(lines: Sequence[Line], returned: dict[str, int]) -> list[int]:
    left = []
    for line in lines:
        back = min(line.quantity, returned.get(str(line.product_id), 0))
        if back:
            returned[str(line.product_id)] -= back
        left.append(line.quantity - back)
    return left


def _of(order: Conversion, refund: Refund) -> list[Line]:
    """The products of a refund that the order has."""
    ordered = {line.product_id for line in order.lines} - {None}
    return [line for line in refund.lines if line.product_id in ordered]


def _names_nothing(refund: Refund) -> bool:
    return not refund.lines and refund.revenue_cents is None and refund.total_cents is None


def _money_cents(order: Conversion, refund: Refund) -> int:
    if refund.revenue_cents is not None:
        return refund.revenue_cents
    if refund.total_cents is None:
        return sum(line.revenue_cents for line in refund.lines)
    # Of what was paid in all, the order's revenue is a share; so of what was paid back.
    paid_cents = max(order.total_cents, order.revenue_cents)
    return round(refund.total_cents * order.revenue_cents / paid_cents) if paid_cents else 0
