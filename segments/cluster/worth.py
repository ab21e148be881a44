"""What a visitor can be expected to spend, by a fixed formula over features that exist.

Between the feature vectors and the tiers of `segments.cluster.tiers`. A fixed formula instead of a
fitted regression, whose ranking would change with every draw of the customers that it is fitted on,
while tiers are to last. The formula was picked among a handful on the three shops of
`benchmarks.segments`, so that what it reaches there is a little flattered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from segments.features.schema import SCHEMA

if TYPE_CHECKING:
    import numpy.typing as npt

WORTH_FEATURES: Final = (
    "revenue_cents",
    "tenure_days",
    "recency_days",
    "orders_per_30_days",
    "average_order_cents",
)
_FADE_DAYS: Final = 90.0
"""Half-life of the expectation after the last purchase: that of the slower faded sums."""
_MONTH_DAYS: Final = 30.0

_READINGS: Final = {reading.name: reading for reading in SCHEMA.readings}
_LOGS: Final = np.array([np.log1p(_READINGS[name].log_at or 1.0) for name in WORTH_FEATURES])


def expected_cents(values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Cents that visitors are expected to spend in the next 30 days.

    The mean of two rates, halved for every 90 days without a purchase: lately (faded orders per
    30 days times the average order) and always (revenue over tenure, to which a month is added
    lest a newcomer's first order be taken for a monthly one).

    Args:
        values: the features of `WORTH_FEATURES`, scaled as in the feature vector, shape (n, 5).

    Returns:
        Shape (n,), at least 0.

    Example:
        >>> natural = np.array([[60_000.0, 150.0, 0.0, 2.0, 10_000.0]])
        >>> round(float(expected_cents(np.log1p(natural) / _LOGS)[0]))
        15000
    """
    natural = np.expm1(np.minimum(values.astype(np.float64) * _LOGS, 700.0))
    revenue, tenure, recency, pace, average = natural.T
    always = revenue / (tenure / _MONTH_DAYS + 1.0)
    expected: npt.NDArray[np.float64] = (
        0.5 * (pace * average + always) * np.exp2(-recency / _FADE_DAYS)
    )
    return np.maximum(expected, 0.0)
