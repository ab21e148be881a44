"""A decision tree as five arrays, and its leaves as rules in words."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, Self

import numpy as np

from segments.cluster.assign.base import (
    NOISE,
    REMEDY,
    Assigner,
    floats,
    integers,
    new_labels,
)
from segments.cluster.phrases import phrase
from segments.errors import SegmentationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from segments.cluster.assign.base import Floats, Labels

LEAF: Final = -1


class Leaf(NamedTuple):
    """A leaf: its label, and for each feature on the way low < value <= high."""

    label: int
    bounds: dict[int, tuple[float, float]]


class FlatTree(Assigner):
    """Walks from the root: left where value <= threshold, else right, until a leaf.

    Args:
        left: index of each node's left child, always after its parent; -1 at a leaf.
        right: likewise.
        feature: position of the feature that a node asks for; 0 at a leaf.
        threshold: in the feature's own scale; 0 at a leaf.
        leaf_label: label of each leaf, which several may share; -1 elsewhere, or for noise.
            All of shape (n_nodes,).

    Example:
        >>> tree = FlatTree(
        ...     np.array([1, -1, -1]), np.array([2, -1, -1]), np.zeros(3, int),
        ...     np.array([0.5, 0.0, 0.0]), np.array([-1, 0, 1]),
        ... )
        >>> tree.label(np.array([0.7])), tree.words(["orders"])
        (1, ['at most 6 orders', '7 or more orders'])
    """

    kind: ClassVar[str] = "rules"

    def __init__(
        self,
        left: Labels,
        right: Labels,
        feature: Labels,
        threshold: Floats,
        leaf_label: Labels,
    ) -> None:
        self.left, self.right = left, right
        self.feature, self.threshold = feature, threshold
        self.leaf_label = leaf_label
        self.n_labels = int(leaf_label.max()) + 1
        rows = (left, right, feature, threshold, leaf_label)
        self._nodes = list(zip(*(row.tolist() for row in rows), strict=True))

    def label(self, vector: npt.NDArray[np.floating]) -> int:
        """See `Assigner.label`."""
        left, right, feature, threshold, label = self._nodes[0]
        while left != LEAF:
            at = left if float(vector[feature]) <= threshold else right
            left, right, feature, threshold, label = self._nodes[at]
        return int(label)

    def labels(self, vectors: npt.NDArray[np.floating]) -> Labels:
        """See `Assigner.labels`."""
        at = np.zeros(len(vectors), np.intp)
        rows = np.arange(len(vectors))
        while (inner := self.left[at] != LEAF).any():
            values = vectors[rows, self.feature[at]].astype(np.float64)
            below = np.where(values <= self.threshold[at], self.left[at], self.right[at])
            at = np.where(inner, below, at)
        return self.leaf_label[at]

    def reordered(self, order: Sequence[int]) -> Self:
        """See `Assigner.reordered`."""
        fresh = new_labels(order)
        labels = np.where(self.leaf_label == NOISE, NOISE, fresh[self.leaf_label])
        return type(self)(self.left, self.right, self.feature, self.threshold, labels)

    def leaves(self) -> Iterator[Leaf]:
        """The leaves from left to right."""
        waiting: list[tuple[int, dict[int, tuple[float, float]]]] = [(0, {})]
        while waiting:
            node, bounds = waiting.pop()
            left, right, feature, threshold, label = self._nodes[node]
            if left == LEAF:
                yield Leaf(label, bounds)
                continue
            low, high = bounds.get(feature, (-inf, inf))
            waiting.append((right, {**bounds, feature: (max(low, threshold), high)}))
            waiting.append((left, {**bounds, feature: (low, min(high, threshold))}))

    def words(self, feature_names: Sequence[str]) -> list[str] | None:
        """Each label's rules, "or" between its leaves."""
        rules: list[list[str]] = [[] for _ in range(self.n_labels)]
        for label, bounds in self.leaves():
            if label != NOISE:
                said = [phrase(feature_names[i], *bound) for i, bound in bounds.items()]
                rules[label].append(", ".join(said) or "all visitors")
        return ["; or ".join(rule) for rule in rules]

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """See `Assigner.arrays`."""
        return {
            "left": self.left,
            "right": self.right,
            "feature": self.feature,
            "threshold": self.threshold,
            "leaf_label": self.leaf_label,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], n_features: int) -> Self:
        """See `Assigner.from_arrays`."""
        n = len(np.atleast_1d(arrays["left"]))
        left = integers(arrays["left"], (n,), "left", n, LEAF)
        right = integers(arrays["right"], (n,), "right", n, LEAF)
        own = np.arange(n)
        inner = left != LEAF
        # Children after their parents: whatever else a file holds, a walk ends.
        forward = (left > own) & (right > own)
        if not n or not (forward == inner).all() or not ((right != LEAF) == inner).all():
            raise SegmentationError(f"arrays left and right form no tree; {REMEDY}")
        return cls(
            left,
            right,
            integers(arrays["feature"], (n,), "feature", n_features),
            floats(arrays["threshold"], (n,), "threshold"),
            integers(arrays["leaf_label"], (n,), "leaf_label", n, NOISE),
        )
