"""What people ask about segments: why a visitor is in one, and how two fits differ.

Off the decision path: it reads memory a few visitors at a time, and compares on a thread.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from api.loop.clock import Clock
from api.loop.crowd import crowd_vectors
from api.loop.errors import NotFoundError
from api.loop.members import Members
from api.storage.base import Store
from policy import model_file
from policy.errors import ModelFileError
from segments.cluster.family import NOT_BEHAVIOUR
from segments.cluster.segmentation import Segment, Segmentation
from segments.errors import SegmentsError
from segments.evaluation.migration import segment_ids
from segments.features.schema import SCHEMA
from segments.foresight import leaving
from segments.membership import Transition
from segments.pipeline import Pipeline

N_TRAITS = 6


@dataclass(frozen=True, slots=True)
class Trait:
    """A feature of a visitor beside the means of their segment and of everybody.

    Args:
        feature: Name.
        own: The visitor's value, in natural units.
        segment: What the mean on the feature's own scale is in natural units.
        everybody: Likewise of all visitors of the fit.
    """

    feature: str
    own: float
    segment: float
    everybody: float


@dataclass(frozen=True, slots=True)
class Explained:
    """Where a visitor belongs.

    Args:
        visitor: The id in use.
        memberships: Segment by grouping, and since when, as transitions have it.
        segment: The learned segment by the profile of this moment; None without a segmentation.
        traits: What sets the visitor apart from everybody, the most telling first.
        leaves: How they leave the learned segment by doing nothing; None for never.
    """

    visitor: str
    memberships: dict[str, tuple[str, datetime | None]]
    segment: Segment | None
    traits: tuple[Trait, ...]
    leaves: Transition | None


@dataclass(frozen=True, slots=True)
class Compared:
    """Two fits on the visitors of now: what differs is the model, nothing else.

    Args:
        n_visitors: Of now.
        churn: Share of them whom the two call otherwise.
        flows: Number of visitors by old and new segment.
    """

    n_visitors: int
    churn: float
    flows: dict[tuple[str, str], int]


class SegmentViews:
    """Answers what can be asked about segments.

    Args:
        pipeline: The visitors.
        members: Which segments they are in.
        store: Holds earlier fits.
        clock: What time it is.
    """

    def __init__(self, pipeline: Pipeline, members: Members, store: Store, clock: Clock) -> None:
        self._pipeline = pipeline
        self._members = members
        self._store = store
        self._clock = clock

    def explain(self, visitor: str) -> Explained:
        """Why a visitor is in their segment.

        Raises:
            NotFoundError: No event of theirs was ever received.
        """
        known, now = self._pipeline.resolve(visitor), self._clock.now()
        if not self._pipeline.knows(known):
            rule = "no event of this visitor was ever received"
            raise NotFoundError("visitor", visitor, rule)
        context, live = self._pipeline.describe(known, now), self._pipeline.segmentation
        segment: Segment | None = None
        traits: tuple[Trait, ...] = ()
        leaves: Transition | None = None
        if live is not None and context.segment is not None:
            segment = next((one for one in live.segments if one.id == context.segment), None)
            leaves = leaving(self._pipeline, known, now)
        if live is not None and segment is not None:
            traits = _traits(context.vector, segment, live)
        return Explained(known, self._members.of(known), segment, traits, leaves)

    async def compare(self, old: int, new: int) -> Compared:
        """Two fits on the visitors of now.

        Raises:
            NotFoundError: There is none of this number that fits the features of now.
        """
        fits = [await self._fit(name, version) for name, version in (("old", old), ("new", new))]
        vectors = await crowd_vectors(self._pipeline, self._clock.now())
        return await asyncio.to_thread(_compared, fits[0], fits[1], vectors)

    async def _fit(self, name: str, version: int) -> Segmentation:
        data = await self._store.segmentation(version)
        if data is None:
            raise NotFoundError(name, version, "no fit of this number; GET /v1/segments/refits")
        try:
            found = Segmentation.from_state(*model_file.load(data))
            found.require_features(self._pipeline.feature_names)
        except (ModelFileError, SegmentsError) as error:
            raise NotFoundError(name, version, f"it cannot be read any more: {error}") from None
        return found


def _compared(old: Segmentation, new: Segmentation, vectors: npt.NDArray[np.float32]) -> Compared:
    was, became = segment_ids(old, vectors), segment_ids(new, vectors)
    flows = Counter(zip(was, became, strict=True))
    moved = sum(n for (source, target), n in flows.items() if source != target)
    return Compared(len(vectors), moved / max(len(vectors), 1), dict(flows))


def _traits(
    vector: npt.NDArray[np.float32], segment: Segment, live: Segmentation
) -> tuple[Trait, ...]:
    shares = np.array([one.share for one in live.segments])
    everybody = shares @ np.array([one.means for one in live.segments])
    apart = np.abs(vector - everybody)
    telling = [
        i
        for i in np.argsort(-apart, kind="stable").tolist()
        if live.feature_names[i] not in NOT_BEHAVIOUR and apart[i] > 0.0
    ]
    return tuple(
        Trait(
            SCHEMA.readings[i].name,
            SCHEMA.readings[i].natural(float(vector[i])),
            SCHEMA.readings[i].natural(segment.means[i]),
            SCHEMA.readings[i].natural(float(everybody[i])),
        )
        for i in telling[:N_TRAITS]
    )
