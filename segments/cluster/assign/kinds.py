"""Every kind of fitted model, by the name that it has in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from segments.cluster.assign.base import REMEDY, Assigner
from segments.cluster.assign.centroids import Centroids
from segments.cluster.assign.core_points import CorePoints
from segments.cluster.assign.encoded import EncodedCentroids
from segments.cluster.assign.flat_tree import FlatTree
from segments.cluster.assign.tiers import ExpectedSpendTiers, RfmBins, SpendTiers
from segments.errors import SegmentationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

ASSIGNERS: Final[dict[str, type[Assigner]]] = {
    cls.kind: cls
    for cls in (
        Centroids,
        CorePoints,
        EncodedCentroids,
        FlatTree,
        SpendTiers,
        ExpectedSpendTiers,
        RfmBins,
    )
}


def load_assigner(kind: str, arrays: Mapping[str, npt.NDArray[Any]], n_features: int) -> Assigner:
    """The model of a saved kind and its arrays.

    Raises:
        SegmentationError: if the kind is unknown, or the arrays hold what it cannot.
        KeyError: if an array is missing.
    """
    if kind not in ASSIGNERS:
        raise SegmentationError(
            f"model of kind {kind!r}; known are {', '.join(ASSIGNERS)}; {REMEDY}"
        )
    return ASSIGNERS[kind].from_arrays(arrays, n_features)
