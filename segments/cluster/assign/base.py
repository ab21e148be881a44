"""The contract of a fitted model: a vector in, a label out, and its state as plain arrays.

Made by a family's `fit` (`segments.cluster.family`), served by `Segmentation`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

import numpy as np

from segments.errors import SegmentationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Labels = npt.NDArray[np.intp]

NOISE: Final = -1
"""The label of a visitor who belongs to no cluster."""
REMEDY: Final = "fit the segments again"


class Assigner(ABC):
    """Assigns labels 0 to n - 1, or `NOISE`. Immutable.

    Attributes:
        kind: names the model in a saved file.
        n_labels: number of labels without noise; each occurs among the vectors of the fit.
    """

    kind: ClassVar[str]
    n_labels: int

    @abstractmethod
    def label(self, vector: npt.NDArray[np.floating]) -> int:
        """The label of one vector of shape (n_features,), in microseconds."""

    @abstractmethod
    def labels(self, vectors: npt.NDArray[np.floating]) -> Labels:
        """The labels of rows of shape (n, n_features): the same as one at a time."""

    @abstractmethod
    def reordered(self, order: Sequence[int]) -> Self:
        """The same model with other labels: `order[i]` is the old label of the new label i."""

    @abstractmethod
    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All that `from_arrays` needs."""

    @classmethod
    @abstractmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], n_features: int) -> Self:
        """The model of saved arrays.

        Args:
            arrays: as `arrays` gave them.
            n_features: width of the vectors; no array may point beyond it.

        Raises:
            SegmentationError: if they hold what no model can.
            KeyError: if one is missing.
        """

    def words(self, feature_names: Sequence[str]) -> list[str] | None:
        """Each label in words, where the model itself is made of rules; else None."""
        return None


def new_labels(order: Sequence[int]) -> Labels:
    """The new label of each old one; the inverse of a permutation.

    Example:
        >>> new_labels([2, 0, 1]).tolist()
        [1, 2, 0]
    """
    return np.argsort(np.asarray(order)).astype(np.intp)


def floats(values: npt.ArrayLike, shape: tuple[int | None, ...], name: str) -> Floats:
    """A finite array of a shape, None standing for any length.

    Raises:
        SegmentationError: naming the array and what is wrong with it.
    """
    array = np.asarray(values, np.float64)
    _check_shape(array.shape, shape, name)
    if not np.isfinite(array).all():
        raise SegmentationError(f"array {name} holds NaN or infinity; {REMEDY}")
    return array


def integers(
    values: npt.ArrayLike, shape: tuple[int | None, ...], name: str, below: int, least: int = 0
) -> Labels:
    """Whole numbers in [least, below), of a shape.

    Raises:
        SegmentationError: naming the array and what is wrong with it.
    """
    array = np.asarray(values, np.intp)
    _check_shape(array.shape, shape, name)
    if array.size and not (array.min() >= least and array.max() < below):
        raise SegmentationError(f"array {name} must hold {least} to {below - 1}; {REMEDY}")
    return array


def _check_shape(found: tuple[int, ...], due: tuple[int | None, ...], name: str) -> None:
    fits = len(found) == len(due) and all(
        b is None or a == b for a, b in zip(found, due, strict=True)
    )
    if not fits:
        raise SegmentationError(f"array {name} has shape {found} where {due} is due; {REMEDY}")
