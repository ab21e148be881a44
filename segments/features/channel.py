"""Through which channels the visitor comes."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from segments.event import CHANNELS
from segments.features.base import Column, Feature, Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from segments.features.base import Moment, Observation
    from segments.profile import Profile

_NONE = (0.0,) * len(CHANNELS)


def _is(channel: str) -> Callable[[Observation], float]:
    return lambda seen: 1.0 if seen.event.channel == channel else 0.0


class ChannelMix(Feature):
    """Each channel's share of the visitor's events."""

    columns = tuple(
        Column(f"events_{name.replace('-', '_')}", "sum", None, _is(name)) for name in CHANNELS
    )
    readings = tuple(Reading(f"channel_{name.replace('-', '_')}_share") for name in CHANNELS)

    def read(self, own: Sequence[float], profile: Profile, at: Moment) -> tuple[float, ...]:
        """See `Feature.read`."""
        events = sum(own)
        if not 0.0 < events < inf:
            return _NONE
        scale = 1.0 / events
        return tuple([part * scale for part in own])
