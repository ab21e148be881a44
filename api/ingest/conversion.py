"""Events as the books of rewards read them: conversions and refunds.

Between `segments.event`, which holds all that was said, and `policy.reward`, which holds what a
reward can depend on.
"""

from pydantic import TypeAdapter

from policy.reward.conversion import Conversion, Line
from policy.reward.refund import Refund
from segments.event import Event

EVENT_JSON: TypeAdapter[Event] = TypeAdapter(Event)

ORDER, CANCELLED = "Order Completed", "Order Cancelled"


def to_conversion(event: Event) -> Conversion:
    """What a reward can depend on."""
    lines = _lines(event)
    shipping_cents, tax_cents = event.shipping_cents or 0, event.tax_cents or 0
    if event.revenue_cents is not None:
        revenue_cents = event.revenue_cents
    elif event.total_cents is not None:
        revenue_cents = event.total_cents - tax_cents - shipping_cents
    else:
        revenue_cents = sum([line.revenue_cents for line in lines])
    return Conversion(
        event.name,
        revenue_cents,
        lines,
        event.total_cents or 0,
        shipping_cents,
        tax_cents,
        event.discount_cents or 0,
    )


def to_refund(event: Event, happened_at_us: int) -> Refund:
    """What is taken back of an order."""
    return Refund(
        happened_at_us,
        event.name == CANCELLED,
        _lines(event),
        event.revenue_cents,
        event.total_cents,
    )


def _lines(event: Event) -> tuple[Line, ...]:
    return tuple(
        [
            Line(
                p.product_id or p.sku,
                p.category,
                p.brand,
                (p.price_cents or 0) * p.quantity,
                p.quantity,
                (p.cost_cents or 0) * p.quantity,
            )
            for p in event.products
        ]
    )
