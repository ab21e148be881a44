"""The numbers that hold for every shopper of a world, and the mechanisms that they switch.

Each mechanism can be turned off: its numbers are then those at which it does nothing, so the
equations need no switches.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from simulator.errors import WorldError


class Effects(NamedTuple):
    """How strongly things act. Rates are a day; utilities are in logits.

    The defaults are those of the `steady` world. "Assumed" in `docs/simulator.md` is what has no
    published source.

    Example:
        >>> Effects(loss=2.0).loss, Effects().without("returns").returned
        (2.0, 0.0)
    """

    # Visits.
    season: float = 1.0
    loyalty_visit: float = 0.5
    email_lift: float = 10.0
    push_lift: float = 8.0
    in_store: float = 1.0
    # Contact fatigue and opting out.
    fatigue_fade: float = 0.85
    fatigue_attention: float = 0.35
    fatigue_visit: float = 0.02
    fatigue_churn: float = 0.0015
    fatigue_half: float = 4.0
    opt_out: float = 0.01
    # Browsing.
    search: float = 0.3
    view_odds: float = 1.0
    cart_odds: float = 0.35
    cart_memory: float = 0.5
    cart_fade: float = 0.7
    target_lift: float = 1.5
    # Price.
    intent: float = 0.0
    sensitivity: float = 1.0
    gain: float = 2.0
    loss: float = 3.3
    reference_step: float = 0.2
    market: float = 1.0
    # Offers and coupons.
    depth: float = 1.0
    coupon_days: float = 14.0
    addiction_gain: float = 1.0
    addiction_fade: float = 0.98
    addiction_wait: float = 1.5
    # Loyalty and leaving.
    loyalty_gain: float = 0.15
    loyalty_fade: float = 0.995
    loyalty_buy: float = 0.5
    loyalty_keep: float = 0.5
    deep_new: float = 1.0
    deep_old: float = 1.5
    dropout: float = 1.0
    # Money.
    margin_rate: float = 0.35
    delayed: float = 0.5
    convert: float = 0.14
    returned: float = 0.08
    return_rate: float = 0.1
    return_cost: float = 0.1
    # Drift.
    drift: float = 0.0
    drift_price: float = 0.3

    def without(self, *mechanisms: str) -> Effects:
        """The same with some mechanisms off.

        Raises:
            WorldError: A mechanism of another name.
        """
        changed: dict[str, float] = {}
        for name in mechanisms:
            if name not in MECHANISMS:
                raise WorldError("mechanism", name, f"must be one of {', '.join(MECHANISMS)}")
            changed |= MECHANISMS[name]
        return self._replace(**changed)

    def checked(self) -> Effects:
        """Itself.

        Raises:
            WorldError: A number is NaN or outside of its range.
        """
        for name, value in self._asdict().items():
            low, high = RANGES.get(name, (0.0, math.inf))
            if not (isinstance(value, float | int) and math.isfinite(value)):
                raise WorldError(name, value, "must be a finite number")
            if not low <= value <= high:
                rule = f"must be at least {low:g}"
                raise WorldError(name, value, rule + (f" and at most {high:g}" * (high < math.inf)))
        return self


_SHARES = (
    "in_store fatigue_fade opt_out search cart_fade reference_step market season addiction_fade "
    "fatigue_churn loyalty_gain loyalty_fade loyalty_keep delayed convert returned return_rate"
)
RANGES: Final[dict[str, tuple[float, float]]] = {
    **dict.fromkeys(_SHARES.split(), (0.0, 1.0)),
    "intent": (-50.0, 50.0),
    "drift_price": (-1.0, 100.0),
    "margin_rate": (0.0, 1.0),
    "fatigue_half": (0.01, 1e6),
    "depth": (0.0, 1.0),
}
"""Every other number is at least 0."""

MECHANISMS: Final[dict[str, dict[str, float]]] = {
    "browsing": {"view_odds": 1e30, "cart_odds": 1e30, "intent": 50.0},
    "price": {"sensitivity": 0.0},
    "reference_price": {"gain": 0.0, "loss": 0.0},
    "market": {"market": 0.0},
    "offers": {"depth": 0.0},
    "addiction": {"addiction_gain": 0.0},
    "messages": {"email_lift": 0.0, "push_lift": 0.0, "target_lift": 0.0},
    "fatigue": {"fatigue_attention": 0.0, "fatigue_visit": 0.0, "fatigue_churn": 0.0},
    "opt_out": {"opt_out": 0.0},
    "loyalty": {"loyalty_gain": 0.0},
    "cart": {"cart_memory": 0.0},
    "churn": {"dropout": 0.0, "fatigue_churn": 0.0},
    "delay": {"delayed": 0.0},
    "returns": {"returned": 0.0},
    "seasonality": {"season": 0.0},
    "drift": {"drift": 0.0},
    "in_store": {"in_store": 0.0},
}
"""What can be switched off, and the numbers at which it is."""
