"""A fitted segmentation: which segment a vector belongs to, and what is known of each segment.

Made by `segments.cluster.kmeans`, off the request path; read by `Pipeline.describe` on it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from segments.cluster.scaling import RobustScaling
from segments.errors import SegmentationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

KIND: Final = "segmentation"
SCHEMA_VERSION: Final = 1
N_SLOTS: Final = 8
"""Segments at most, and places in a one-hot encoding of them."""

Change = Literal["kept", "split", "merged", "born", "died"]


@dataclass(frozen=True, slots=True)
class Segment:
    """One group of visitors.

    Args:
        id: "s1", "s2"...: survives refits, is never given to another group.
        slot: 0 to 7, unique among the living segments; freed when the segment dies.
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
    """Centroids with names. Immutable.

    Args:
        version: 1 for a first fit, one more for each refit.
        feature_names: of the vectors that it takes.
        scaling: of the features that it looks at.
        centroids: scaled, shape (n_segments, n_columns).
        segments: in the order of the centroids.
        lineage: what became of the segments of the version before.
        next_number: of the next new segment's id.
    """

    def __init__(
        self,
        version: int,
        feature_names: Sequence[str],
        scaling: RobustScaling,
        centroids: npt.NDArray[np.float64],
        *,
        segments: Sequence[Segment],
        lineage: Sequence[Lineage],
        next_number: int,
    ) -> None:
        self.version = version
        self.feature_names = tuple(feature_names)
        self.scaling = scaling
        self.centroids = centroids
        self.segments = tuple(segments)
        self.lineage = tuple(lineage)
        self.next_number = next_number
        self._ids = [segment.id for segment in self.segments]
        self._slots = {segment.id: segment.slot for segment in self.segments}
        # |x - c|² without its part that is the same for all c: |c|² - 2 c·x.
        self._offsets = (centroids**2).sum(axis=1)
        self._directions = -2.0 * centroids

    def assign(self, vector: npt.NDArray[np.float32]) -> str:
        """Id of the nearest segment, in a few microseconds.

        Args:
            vector: finite, shape (n_features,).
        """
        scaled = self.scaling.apply(vector)
        return self._ids[int((self._directions @ scaled + self._offsets).argmin())]

    def assign_many(self, vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.intp]:
        """Index into `segments` of the nearest one, for each row of shape (n, n_features).

        Raises:
            SegmentationError: if the rows are of another width.
        """
        if vectors.ndim != 2 or vectors.shape[1] != len(self.feature_names):
            raise SegmentationError(
                f"vectors must have shape (n, {len(self.feature_names)}), got {vectors.shape}"
            )
        scores = self.scaling.apply(vectors) @ self._directions.T + self._offsets
        return np.asarray(scores.argmin(axis=1), np.intp)

    def slot(self, segment_id: str) -> int:
        """The segment's place in a one-hot encoding, 0 to 7.

        Raises:
            SegmentationError: if no living segment has this id.
        """
        slot = self._slots.get(segment_id)
        if slot is None:
            raise SegmentationError(f"no segment {segment_id!r}; there are {', '.join(self._ids)}")
        return slot

    def state(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """A manifest of plain JSON values, and arrays: all that `from_state` needs."""
        manifest = {
            "kind": KIND,
            "schema": SCHEMA_VERSION,
            "version": self.version,
            "feature_names": list(self.feature_names),
            "segments": [asdict(segment) for segment in self.segments],
            "lineage": [asdict(step) for step in self.lineage],
            "next_number": self.next_number,
        }
        arrays = {
            "columns": self.scaling.columns,
            "centre": self.scaling.centre,
            "scale": self.scaling.scale,
            "centroids": self.centroids,
        }
        return manifest, arrays

    @classmethod
    def from_state(
        cls, manifest: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]
    ) -> Segmentation:
        """The segmentation of a saved state.

        Raises:
            SegmentationError: if it is of another kind or schema, or damaged.
        """
        found = (manifest.get("kind"), manifest.get("schema"))
        if found != (KIND, SCHEMA_VERSION):
            raise SegmentationError(
                f"expected {(KIND, SCHEMA_VERSION)}, found {found}; fit the segments again"
            )
        try:
            self = cls(
                int(manifest["version"]),
                manifest["feature_names"],
                RobustScaling(
                    np.asarray(arrays["columns"], np.intp),
                    np.asarray(arrays["centre"], float),
                    np.asarray(arrays["scale"], float),
                ),
                np.asarray(arrays["centroids"], float),
                segments=[
                    Segment(**{**raw, "means": tuple(raw["means"])}) for raw in manifest["segments"]
                ],
                lineage=[
                    Lineage(**{**raw, "sources": tuple(raw["sources"])})
                    for raw in manifest["lineage"]
                ],
                next_number=int(manifest["next_number"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise SegmentationError(
                f"damaged segmentation ({error!r}); fit the segments again"
            ) from error
        self._check_shapes()
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
                f"fitted on other features (gone: {gone}, new: {new}); fit the segments again"
            )

    def _check_shapes(self) -> None:
        scaling, n = self.scaling, len(self.scaling.columns)
        shapes = (scaling.centre.shape, scaling.scale.shape, self.centroids.shape)
        if shapes != ((n,), (n,), (len(self.segments), n)) or not self.segments:
            raise SegmentationError(
                f"arrays of shapes {shapes} do not fit {n} columns and {len(self.segments)} "
                "segments; fit the segments again"
            )
        sane = (
            (scaling.columns >= 0).all()
            and (scaling.columns < len(self.feature_names)).all()
            and (scaling.scale > 0.0).all()
            and all(np.isfinite(x).all() for x in (scaling.centre, scaling.scale, self.centroids))
        )
        if not sane:
            raise SegmentationError("arrays hold impossible values; fit the segments again")
