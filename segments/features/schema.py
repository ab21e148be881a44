"""All families together: the layout of a profile's columns and of the feature vector.

This is the one code path from events to numbers; serving, batch, replay and simulation share it.
"""

from __future__ import annotations

import zlib
from array import array
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from segments.consent import words_of
from segments.event import EVENT_NAMES
from segments.features.affinity import INTEREST, Affinity
from segments.features.base import NEUTRAL
from segments.features.calendar import Calendar
from segments.features.channel import ChannelMix
from segments.features.discount import Discount
from segments.features.frequency import Frequency
from segments.features.known import Known
from segments.features.monetary import Monetary
from segments.features.purchase_interval import PurchaseInterval
from segments.features.recency import Recency
from segments.features.session import DEPTHS, SessionActivity
from segments.hashing import value_hash
from segments.profile import Profile
from segments.tally import MAX_BRANDS, MAX_CATEGORIES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from segments.features.base import Column, Feature, Moment, Observation, Reading

_Step = tuple[int, str, "Callable[[Observation], float]"]


class Schema:
    """Lays out the columns and readings of some families of features.

    Args:
        features: families, in the order of the feature vector.

    Attributes:
        columns: each declared column once.
        readings: all readings, in vector order.
        feature_names: their names.
        fingerprint: 32 bits that change when columns do.

    Raises:
        ValueError: if two columns or two readings share a name.

    Example:
        >>> Schema((Known(),)).feature_names
        ('known',)
    """

    def __init__(self, features: Sequence[Feature]) -> None:
        self.features = tuple(features)
        columns = dict.fromkeys(c for feature in self.features for c in feature.columns)
        self.columns: tuple[Column, ...] = tuple(columns)
        self.readings: tuple[Reading, ...] = tuple(
            reading for feature in self.features for reading in feature.readings
        )
        self.feature_names = tuple(reading.name for reading in self.readings)
        names = [column.name for column in self.columns]
        for kind, all_names in (("column", names), ("reading", list(self.feature_names))):
            if len(set(all_names)) < len(all_names):
                raise ValueError(f"each {kind} needs a name of its own, got {all_names}")
        self.index = {name: at for at, name in enumerate(names)}
        self.fingerprint = zlib.crc32(
            ",".join(f"{c.name}:{c.combine}" for c in self.columns).encode()
        )
        self._blank = array("d", [NEUTRAL[column.combine] for column in self.columns])
        self._steps = {name: self._steps_of(name) for name in EVENT_NAMES}
        self._readers = [(feature.read, _getter(feature, self.index)) for feature in self.features]

    def new_profile(self) -> Profile:
        """A profile of no events."""
        return Profile(self._blank[:])

    def fold(self, profile: Profile, seen: Observation) -> None:
        """Adds one event to a profile, in place; repeats are the caller's to drop."""
        columns, name = profile.columns, seen.event.name
        for at, combine, value in self._steps[name]:
            new = value(seen)
            if combine == "sum":
                columns[at] += new
            elif new < columns[at] if combine == "min" else new > columns[at]:
                columns[at] = new
        profile.sessions.add(seen.seconds, DEPTHS.get(name, 0.0))
        if name in INTEREST and seen.event.products:
            _count_interest(profile, seen)
        for purpose, granted in words_of(seen.event):
            profile.consents.say(purpose, granted, seen.seconds)

    def merge(self, into: Profile, other: Profile) -> None:
        """Adds all of another profile to one, in place: as if both had been one visitor."""
        columns = into.columns
        for at, column in enumerate(self.columns):
            if column.combine == "sum":
                columns[at] += other.columns[at]
            else:
                pick = min if column.combine == "min" else max
                columns[at] = pick(columns[at], other.columns[at])
        into.absorb(other)

    def read(self, profile: Profile, at: Moment) -> list[float]:
        """The feature vector, as Python floats."""
        columns = profile.columns
        vector: list[float] = []
        for read, own in self._readers:
            vector += read(own(columns), profile, at)
        return vector

    def _steps_of(self, event_name: str) -> tuple[_Step, ...]:
        return tuple(
            (at, column.combine, column.value)
            for at, column in enumerate(self.columns)
            if column.on is None or event_name in column.on
        )


def _getter(feature: Feature, index: dict[str, int]) -> Callable[[array[float]], Any]:
    """Picks a family's columns, always as a tuple."""
    at = [index[column.name] for column in feature.columns]
    if not at:
        return lambda _: ()
    if len(at) == 1:
        only = at[0]
        return lambda columns: (columns[only],)
    return itemgetter(*at)


def _count_interest(profile: Profile, seen: Observation) -> None:
    """Each category and brand counts once an event, however many of its products hold it."""
    products = seen.event.products
    weight = INTEREST[seen.event.name] * seen.long
    # Not sets: their order changes from process to process, and with it the last bit of sums.
    categories = dict.fromkeys([line.category for line in products if line.category])
    brands = dict.fromkeys([line.brand for line in products if line.brand])
    if categories:
        profile.categories.add(map(value_hash, categories), weight, MAX_CATEGORIES)
    if brands:
        profile.brands.add(map(value_hash, brands), weight, MAX_BRANDS)


SCHEMA: Final = Schema(
    (
        Recency(),
        Frequency(),
        Monetary(),
        PurchaseInterval(),
        SessionActivity(),
        Calendar(),
        Affinity(),
        Discount(),
        ChannelMix(),
        Known(),
    )
)
"""The features of this service; a vector is only comparable to others of the same schema."""
