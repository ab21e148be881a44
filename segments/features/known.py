"""Whether anything is known of the visitor at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segments.features.base import Feature, Reading
from segments.features.columns import LAST_SEEN_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from segments.features.base import Moment
    from segments.profile import Profile


class Known(Feature):
    """1 for a visitor with at least one event, else 0: lets a model tell no history from none."""

    columns = (LAST_SEEN_S,)
    readings = (Reading("known"),)

    def read(self, own: Sequence[float], profile: Profile, at: Moment) -> tuple[float, ...]:
        """See `Feature.read`."""
        return (1.0 if own[0] >= 0.0 else 0.0,)
