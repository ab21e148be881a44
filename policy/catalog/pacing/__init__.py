"""How a budget is made to last: its period, the traffic to come, the price of a cent."""

from policy.catalog.pacing.redemption import Redemption
from policy.catalog.pacing.shadow_price import ShadowPrice
from policy.catalog.pacing.traffic import Period, Traffic

__all__ = ["Period", "Redemption", "ShadowPrice", "Traffic"]
