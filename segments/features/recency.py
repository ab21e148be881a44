"""Recency: how long ago the visitor last bought, was last seen, was first seen."""

from __future__ import annotations

from math import log1p
from typing import TYPE_CHECKING

from segments.features.base import Feature, Reading, days_since
from segments.features.columns import FIRST_SEEN_S, LAST_ORDER_S, LAST_SEEN_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from segments.features.base import Moment
    from segments.profile import Profile

_SCALE = 1.0 / log1p(365.0)


class Recency(Feature):
    """Days since the last purchase and since the last and first event.

    Someone who never bought reads as two years: the cut-off, and the far end of the same scale.
    Nobody's tenure is zero.
    """

    columns = (LAST_ORDER_S, LAST_SEEN_S, FIRST_SEEN_S)
    readings = (
        Reading("recency_days", log_at=365.0),
        Reading("unseen_days", log_at=365.0),
        Reading("tenure_days", log_at=365.0),
    )

    def read(self, own: Sequence[float], profile: Profile, at: Moment) -> tuple[float, ...]:
        """See `Feature.read`."""
        ordered, last, first = own
        return (
            log1p(days_since(ordered, at)) * _SCALE,
            log1p(days_since(last, at)) * _SCALE,
            log1p(days_since(first, at)) * _SCALE if first <= last else 0.0,
        )
