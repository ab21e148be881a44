"""Why one visitor is in their segment, and when they will leave it by doing nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from api.cli.segments.files import natural
from api.cli.segments.report import sampled
from api.cli.segments.source import NamedFit, Source
from api.loop.facts import Belongs
from api.storage.base import StoreError
from segments.cluster.family import Cohort
from segments.cluster.segmentation import Segment
from segments.cluster.tree_rules import explain
from segments.foresight import leaving
from segments.membership import Transition

N_TRAITS = 6


@dataclass(frozen=True, slots=True)
class Trait:
    """A feature of a visitor beside the medians of their segment and of everybody.

    Args:
        feature: Name.
        own: The visitor's value, in natural units.
        segment: Median of the segment's members.
        everybody: Median of all visitors.
    """

    feature: str
    own: float
    segment: float
    everybody: float


@dataclass(frozen=True, slots=True)
class Explained:
    """One visitor's segment.

    Args:
        visitor: The id in use.
        segment: Theirs.
        rule: The rules' words for the segment; None where they have none.
        agrees: Whether the rules put this visitor there, too.
        traits: What sets the visitor apart from everybody, the most telling first.
        leaves: How they leave the segment by doing nothing; None for never, or where only a file
            of features is known.
        hand_made: Ids of the segments made by hand that they are in.
    """

    visitor: str
    segment: Segment
    rule: str | None
    agrees: bool
    traits: tuple[Trait, ...]
    leaves: Transition | None
    hand_made: tuple[str, ...] = ()


def explained(
    source: Source,
    fit: NamedFit,
    visitor: str,
    rng: np.random.Generator,
    hand_made: Mapping[str, Belongs] = MappingProxyType({}),
) -> Explained:
    """Explains a visitor's segment.

    Args:
        source: Where the visitor is known.
        fit: The segmentation.
        visitor: Any of their ids.
        rng: Draws the visitors on whom rules are grown.
        hand_made: Who belongs to the segments made by hand, by id.

    Raises:
        StoreError: Nobody of this id is known.
        SegmentationError: The segmentation is of other features.
    """
    crowd, segmentation = source.now(), fit.segmentation
    segmentation.require_features(crowd.feature_names)
    pipeline = None if source.log is None else source.log.pipeline()
    known = visitor if pipeline is None else pipeline.resolve(visitor)
    if known not in crowd.visitors:
        raise StoreError(f"visitor is {visitor!r:.80}: not known to {source.path}")
    row = crowd.visitors.index(known)
    labels = segmentation.assign_many(crowd.vectors)
    segment = segmentation.segments[labels[row]]  # -1, noise, is the last
    cohort = sampled(Cohort(crowd.vectors, crowd.feature_names), rng)
    rules = explain(segmentation, cohort, rng)
    leaves: Transition | None = None
    also: tuple[str, ...] = ()
    if pipeline is not None and crowd.at is not None:
        pipeline.segmentation = segmentation
        leaves = leaving(pipeline, known, crowd.at)
        look = pipeline.look(known, crowd.at)
        also = tuple(name for name, belongs in hand_made.items() if belongs(look, segment.id))
    return Explained(
        known,
        segment,
        dict(rules.rules).get(segment.id),
        rules.tree.label(crowd.vectors[row]) == labels[row],
        _traits(Cohort(crowd.vectors, crowd.feature_names), row, labels == labels[row]),
        leaves,
        also,
    )


def _traits(cohort: Cohort, row: int, inside: npt.NDArray[np.bool_]) -> tuple[Trait, ...]:
    used, vectors = cohort.behaviour(), cohort.vectors
    everybody, own = np.median(vectors, axis=0), vectors[row]
    members = np.median(vectors[inside], axis=0)
    spread = np.maximum(vectors.std(axis=0), 1e-6)
    apart = np.abs(own - everybody)[used] / spread[used]
    telling = [int(i) for i in used[np.argsort(-apart, kind="stable")] if own[i] != everybody[i]]
    return tuple(
        Trait(name, *(natural(name, float(one[i])) for one in (own, members, everybody)))
        for i in telling[:N_TRAITS]
        for name in (cohort.feature_names[i],)
    )
