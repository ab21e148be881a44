"""Intervals as commands print and write them."""

import math
from typing import Any

from policy.ope.intervals.base import Interval


def bounds(interval: Interval, form: str) -> str:
    """Both bounds in one format.

    Example:
        >>> bounds(Interval(0.25, 0.5, 0.95, "normal"), "+.1f")
        '[+0.2, +0.5]'
    """
    return f"[{interval.low:{form}}, {interval.high:{form}}]"


def interval_json(interval: Interval) -> dict[str, Any]:
    """An interval as JSON, with null where nothing bounds it."""
    low, high = number_json(interval.low), number_json(interval.high)
    return {"low": low, "high": high, "level": interval.level, "method": interval.method}


def number_json(value: float) -> float | None:
    """A number as JSON, which has neither NaN nor infinity."""
    return value if math.isfinite(value) else None
