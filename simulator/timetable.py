"""When in a simulated day things happen, in seconds after midnight UTC.

Shared by what renders a day as events and by what keeps track of them, so that both tell one story.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

START: Final = datetime(2024, 1, 1, tzinfo=UTC)
"""Day 0, a Monday."""

HOUR_S: Final = 3_600
DAY_S: Final = 24 * HOUR_S
DECISION_S: Final = 7 * HOUR_S
MESSAGE_S: Final = 8 * HOUR_S
NOTICE_S: Final = MESSAGE_S + 300
OPT_OUT_S: Final = MESSAGE_S + 360
VISIT_S: Final = 12 * HOUR_S
SEARCH_S: Final = VISIT_S + 60
VIEW_S: Final = VISIT_S + 120
CART_S: Final = VISIT_S + 240
CHECKOUT_S: Final = VISIT_S + 360
COUPON_S: Final = VISIT_S + 420
ORDER_S: Final = VISIT_S + 480
LATE_ORDER_S: Final = 18 * HOUR_S
"""When an order is placed that was decided on earlier, if its shopper does not check out today."""
REFUND_S: Final = 20 * HOUR_S
