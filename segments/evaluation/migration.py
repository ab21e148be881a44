"""Who moved between two fits, and why: the model, the customer, or the population.

A visitor's segment may change because the model did (the same behaviour is called something else:
model churn), because the visitor did (other behaviour, which the old model would have noticed as
well: migration), or both. Apart from that, the population shifts: shares of segments change as
people come and go.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from segments.cluster.segmentation import NOISE_ID
from segments.errors import SegmentationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from segments.cluster.segmentation import Segmentation

Cause = Literal["kept", "model", "behaviour", "both", "came", "left"]


@dataclass(frozen=True, slots=True)
class Move:
    """One visitor's way between two fits.

    Args:
        visitor: id.
        source: segment before, None for one who came.
        target: segment after, None for one who left.
        cause: kept: nothing changed. model: the old model would have kept them where they were.
            behaviour: the old model would have moved them likewise. both: it would have moved
            them elsewhere. came, left: known at one of the times only.
    """

    visitor: str
    source: str | None
    target: str | None
    cause: Cause


@dataclass(frozen=True, slots=True)
class Migration:
    """All ways between two fits.

    Args:
        moves: one a visitor.
        model_churn: share of the visitors known after whom the two models put into different
            segments for the same behaviour, 0 to 1.
        migrated: share of the visitors known at both times whom the old model alone would have
            moved.
        kept: share of the visitors known at both times who kept their segment, whatever changed.
        population_shift: PSI of the shares of segments under the old model, before against after;
            below 0.1 nothing to speak of, above 0.25 another population.
    """

    moves: tuple[Move, ...]
    model_churn: float
    migrated: float
    kept: float
    population_shift: float

    def flows(self) -> dict[tuple[str | None, str | None, Cause], int]:
        """Number of visitors by source, target and cause."""
        return dict(Counter((move.source, move.target, move.cause) for move in self.moves))


def migration(
    old: Segmentation,
    new: Segmentation,
    before: tuple[Sequence[str], npt.NDArray[np.float32]],
    after: tuple[Sequence[str], npt.NDArray[np.float32]],
) -> Migration:
    """Compares two fits, each with the visitors of its time.

    Args:
        old: the segmentation before; its ids are comparable with those of a refit.
        new: the segmentation after.
        before: visitors and their vectors, shape (n, n_features), at the time of the old fit.
        after: likewise at the time of the new one.

    Raises:
        SegmentationError: if there are no visitors at one of the times.
    """
    if not len(before[0]) or not len(after[0]):
        raise SegmentationError("no visitors to compare: both times need some")
    was = dict(zip(before[0], segment_ids(old, before[1]), strict=True))
    would_be = dict(zip(after[0], segment_ids(old, after[1]), strict=True))
    became = dict(zip(after[0], segment_ids(new, after[1]), strict=True))
    moves = [Move(v, was.get(v), i, _cause(was.get(v), would_be[v], i)) for v, i in became.items()]
    both = [move for move in moves if move.source is not None]
    moves += [Move(v, i, None, "left") for v, i in was.items() if v not in became]
    ids = {*was.values(), *would_be.values()}
    return Migration(
        moves=tuple(moves),
        model_churn=float(np.mean([would_be[v] != i for v, i in became.items()])),
        migrated=_share(sum(was[m.visitor] != would_be[m.visitor] for m in both), len(both)),
        kept=_share(sum(m.source == m.target for m in both), len(both)),
        population_shift=_psi(Counter(was.values()), Counter(would_be.values()), ids),
    )


def segment_ids(segmentation: Segmentation, vectors: npt.NDArray[np.float32]) -> list[str]:
    """The segment of each row, by id."""
    ids = [s.id for s in segmentation.segments if s.id != NOISE_ID] + [NOISE_ID]
    return [ids[label] for label in segmentation.assign_many(vectors).tolist()]


def _cause(source: str | None, would_be: str, target: str) -> Cause:
    if source is None:
        return "came"
    if source == target:
        return "kept"
    if would_be == source:
        return "model"
    return "behaviour" if would_be == target else "both"


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


def _psi(before: Counter[str], after: Counter[str], ids: set[str]) -> float:
    """Population stability index; half a visitor is added everywhere, lest a logarithm be of 0."""
    ordered = sorted(ids)
    p, q = (np.array([count[i] + 0.5 for i in ordered]) for count in (before, after))
    p, q = p / p.sum(), q / q.sum()
    return float(((q - p) * np.log(q / p)).sum())
