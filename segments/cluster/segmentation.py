"""A fitted segmentation: which segment a vector belongs to, and what is known of each segment.

Made by `segments.cluster.fitting`, off the request path; read by `Pipeline.describe` on it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from segments.cluster.assign.base import REMEDY
from segments.cluster.assign.centroids import Centroids
from segments.cluster.assign.kinds import load_assigner
from segments.errors import SegmentationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

    from segments.cluster.assign.base import Assigner

KIND: Final = "segmentation"
SCHEMA_VERSION: Final = 2
"""1 knew k-means only, and is still read."""
N_SLOTS: Final = 8
"""Places in a one-hot encoding of segments."""
MAX_SEGMENTS: Final = 12
"""Segments at most; those beyond the places do without one."""
NO_SLOT: Final = -1
NOISE_ID: Final = "noise"

Change = Literal["kept", "split", "merged", "born", "died"]


@dataclass(frozen=True, slots=True)
class Segment:
    """One group of visitors.

    Args:
        id: "s1", "s2"...: survives refits, is never given to another group; "noise" for those
            who belong to none.
        slot: 0 to 7, unique among the living segments; freed when the segment dies. -1 for noise
            and where all are taken.
        size: visitors in it at the fit.
        share: of all visitors, 0 to 1.
        description: in words.
        value_cents: mean revenue per visitor so far, or None where revenue is not a feature.
        means: of each feature over its members, in the features' own scale.
    """

    id: str
    slot: int
    size: int
    share: float
    description: str
    value_cents: float | None
    means: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Lineage:
    """What became of a segment at a refit.

    Args:
        segment_id: the segment spoken of.
        change: kept: matched to itself. split: new, over half of its members from the one source.
            merged: lives on, and took over half of each further source, which is gone. born: new,
            from no single source. died: gone, scattered.
        sources: ids before the refit that it comes from.
        overlap: kept, merged, died: share of the (last) source's members found where most of them
            went; split, born: share of the new members from the main source.
    """

    segment_id: str
    change: Change
    sources: tuple[str, ...]
    overlap: float


class Segmentation:
    """A model with names for its labels. Immutable.

    Args:
        version: 1 for a first fit, one more for each refit.
        feature_names: of the vectors that it takes.
        assigner: the model.
        segments: in the order of the model's labels; the noise segment, if any, comes last, which
            is where the label -1 points.
        lineage: what became of the segments of the version before.
        next_number: of the next new segment's id.
        churn: share of the visitors of the fit whom it calls otherwise than the version before did,
            for the same behaviour; None for a first fit, and where nobody wrote it down.
    """

    def __init__(
        self,
        version: int,
        feature_names: Sequence[str],
        assigner: Assigner,
        *,
        segments: Sequence[Segment],
        lineage: Sequence[Lineage],
        next_number: int,
        churn: float | None = None,
    ) -> None:
        self.version = version
        self.feature_names = tuple(feature_names)
        self.assigner = assigner
        self.segments = tuple(segments)
        self.lineage = tuple(lineage)
        self.next_number = next_number
        self.churn = churn
        self._ids = [segment.id for segment in self.segments]
        if self._ids and self._ids[-1] != NOISE_ID:
            self._ids.append(NOISE_ID)  # a later visitor may be the first of no cluster
        self._slots = {segment.id: segment.slot for segment in self.segments}
        self._slots.setdefault(NOISE_ID, NO_SLOT)

    def assign(self, vector: npt.NDArray[np.float32]) -> str:
        """Id of the segment, in microseconds.

        Args:
            vector: finite, shape (n_features,).
        """
        return self._ids[self.assigner.label(vector)]

    def assign_many(self, vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.intp]:
        """Index into `segments` for each row of shape (n, n_features); -1 for noise.

        Raises:
            SegmentationError: if the rows are of another width.
        """
        if vectors.ndim != 2 or vectors.shape[1] != len(self.feature_names):
            raise SegmentationError(
                f"vectors must have shape (n, {len(self.feature_names)}), got {vectors.shape}"
            )
        return self.assigner.labels(vectors)

    def slot(self, segment_id: str) -> int | None:
        """The segment's place in a one-hot encoding, 0 to 7; None for noise or without one.

        Raises:
            SegmentationError: if no living segment has this id.
        """
        slot = self._slots.get(segment_id)
        if slot is None:
            known = ", ".join(segment.id for segment in self.segments)
            raise SegmentationError(f"no segment {segment_id!r}; there are {known}")
        return None if slot == NO_SLOT else slot

    def state(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """A manifest of plain JSON values, and arrays: all that `from_state` needs."""
        manifest = {
            "kind": KIND,
            "schema": SCHEMA_VERSION,
            "model": self.assigner.kind,
            "version": self.version,
            "feature_names": list(self.feature_names),
            "segments": [asdict(segment) for segment in self.segments],
            "lineage": [asdict(step) for step in self.lineage],
            "next_number": self.next_number,
            "churn": self.churn,
        }
        return manifest, self.assigner.arrays()

    @classmethod
    def from_state(
        cls, manifest: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]
    ) -> Segmentation:
        """The segmentation of a saved state.

        Raises:
            SegmentationError: if it is of another kind or schema, or damaged.
        """
        found = (manifest.get("kind"), manifest.get("schema"))
        if found not in ((KIND, 1), (KIND, SCHEMA_VERSION)):
            raise SegmentationError(f"expected {(KIND, SCHEMA_VERSION)}, found {found}; {REMEDY}")
        try:
            feature_names = tuple(map(str, manifest["feature_names"]))
            model = Centroids.kind if found[1] == 1 else str(manifest["model"])
            self = cls(
                int(manifest["version"]),
                feature_names,
                load_assigner(model, arrays, len(feature_names)),
                segments=[
                    Segment(**{**raw, "means": tuple(raw["means"])}) for raw in manifest["segments"]
                ],
                lineage=[
                    Lineage(**{**raw, "sources": tuple(raw["sources"])})
                    for raw in manifest["lineage"]
                ],
                next_number=int(manifest["next_number"]),
                churn=_share(manifest.get("churn")),
            )
        except SegmentationError:
            raise
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise SegmentationError(f"damaged segmentation ({error!r}); {REMEDY}") from error
        self._check_segments()
        return self

    def require_features(self, feature_names: Sequence[str]) -> None:
        """Refuses to be used on other features than it was fitted on.

        Raises:
            SegmentationError: naming what is missing and what is new.
        """
        if tuple(feature_names) != self.feature_names:
            gone = sorted(set(self.feature_names) - set(feature_names))
            new = sorted(set(feature_names) - set(self.feature_names))
            raise SegmentationError(
                f"fitted on other features (gone: {gone}, new: {new}); {REMEDY}"
            )

    def _check_segments(self) -> None:
        n_clusters = sum(segment.id != NOISE_ID for segment in self.segments)
        if n_clusters != self.assigner.n_labels or not self.segments:
            raise SegmentationError(
                f"{n_clusters} segments do not fit a model of {self.assigner.n_labels}; {REMEDY}"
            )


def _share(value: object) -> float | None:
    return None if value is None else float(str(value))
