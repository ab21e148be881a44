"""One visitor at one moment: unpacked once, whatever is read of it.

Between the profiles that `pipeline` keeps and those who ask: contexts and affinities.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from segments.behaviour.session import NOTHING
from segments.context import Context
from segments.errors import SegmentsError
from segments.features.affinity import PRIOR_ORDERS
from segments.features.schema import SCHEMA
from segments.hashing import value_hashes
from segments.population import ATTRIBUTES

if TYPE_CHECKING:
    import numpy.typing as npt

    from segments.behaviour.session import SessionReading, SessionTracker
    from segments.cluster.segmentation import Segmentation
    from segments.features.base import Moment
    from segments.population import Population
    from segments.profile import Profile


class Look:
    """What can be said of a visitor; valid until the next event is observed.

    Args:
        visitor: the id in use.
        profile: None for a visitor of no events.
        population: whose rates smooth the visitor's own.
        segmentation: names the segment, or None.
        at: the moment.
        habits: of the visitors' sessions, or None.
    """

    __slots__ = ("_at", "_habits", "_population", "_profile", "_read", "_segmentation", "visitor")

    def __init__(
        self,
        visitor: str,
        profile: Profile | None,
        population: Population,
        segmentation: Segmentation | None,
        at: Moment,
        habits: SessionTracker | None = None,
    ) -> None:
        self.visitor = visitor
        self._profile = profile
        self._population = population
        self._segmentation = segmentation
        self._at = at
        self._habits = habits
        self._read: list[float] | None = None

    def context(self) -> Context:
        """The feature vector and the segment; see `Pipeline.describe`."""
        vector = np.array(self._scaled(), np.float32)
        segment = None
        if self._profile is not None and self._segmentation is not None:
            segment = self._segmentation.assign(vector)
        return Context(self.visitor, self._profile is not None, vector, segment)

    def natural(self, position: int) -> float:
        """A feature in its natural units, such as days or cents, as `Reading.natural` has them.

        Args:
            position: in `Pipeline.feature_names`.
        """
        return SCHEMA.readings[position].natural(self._scaled()[position])

    def session(self) -> SessionReading:
        """The running session against the visitor's own past; nothing where none is followed."""
        if self._habits is None:
            return NOTHING
        return self._habits.read_at(self.visitor, self._at.seconds)

    def consent(self, purpose: str) -> bool | None:
        """Whether the visitor last granted or refused a purpose; None for neither."""
        return None if self._profile is None else self._profile.consents.said(purpose)

    def affinities(self, attribute: str, values: tuple[str, ...]) -> npt.NDArray[np.float64]:
        """How much the visitor is drawn to each value; see `Pipeline.affinities`.

        Raises:
            SegmentsError: if the attribute is neither "category" nor "brand".
        """
        if attribute not in ATTRIBUTES:
            raise SegmentsError(f"attribute must be one of {ATTRIBUTES}, got {attribute!r}")
        fade, profile = self._at.long, self._profile
        rates = self._population.rates(attribute, values, fade)
        if profile is None:
            return np.array(rates)
        tally = profile.categories if attribute == "category" else profile.brands
        get = tally.as_dict().get
        scale = 1.0 / (max(profile.columns[_ORDERS_90D], 0.0) * fade + PRIOR_ORDERS)
        drawn = [
            (get(key, 0.0) * fade + PRIOR_ORDERS * rate) * scale
            for key, rate in zip(value_hashes(values), rates, strict=True)
        ]
        return np.minimum(drawn, 1.0)

    def _scaled(self) -> list[float]:
        if self._read is None:
            self._read = SCHEMA.read(self._profile or SCHEMA.new_profile(), self._at)
        return self._read


_ORDERS_90D = SCHEMA.index["orders_90d"]
