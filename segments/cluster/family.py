"""The contract of a model family: visitors in, a fitted model out.

Implemented by `kmeans`, `density`, `tree_rules`, `neural` and `tiers`; called by
`segments.cluster.fitting`, which does what is common to all: checks, names, words.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from segments.errors import SegmentationError, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from segments.cluster.assign.base import Assigner

NOT_BEHAVIOUR: Final = frozenset(
    {
        "known",
        "now_hour_sin",
        "now_hour_cos",
        "now_weekday_sin",
        "now_weekday_cos",
        "session_events",
        "session_depth",
        "session_minutes",
        "tenure_days",
        "unseen_days",
        "recency_intervals",
        "orders_per_30_days",
        "sessions",
        "weekend_order_share",
    }
)
"""Features of the moment rather than of the visitor, or too noisy: distances ignore them."""

UNSTEADY: Final = frozenset(
    {"recency_days", "top_category_share", "category_evenness", "top_brand_share"}
)
"""Features that swing between refits though the visitor stays the same: they count half."""


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """The visitors that a model is fitted on.

    Args:
        vectors: one visitor a row, finite, shape (n_visitors, n_features).
        feature_names: of the columns.
        target: what each visitor went on to do after the vector was read, such as cents spent in
            the 90 days that followed, shape (n_visitors,); for families that learn from it.

    Raises:
        SegmentationError: if there is no visitor, a shape is wrong or a value is not finite; it
            names the features.

    Example:
        >>> len(Cohort(np.zeros((3, 1), np.float32), ("orders",)))
        3
    """

    vectors: npt.NDArray[np.float32]
    feature_names: tuple[str, ...]
    target: npt.NDArray[np.float64] | None = field(default=None)

    def __post_init__(self) -> None:
        vectors, names = self.vectors, self.feature_names
        if vectors.ndim != 2 or vectors.shape[1] != len(names):
            raise SegmentationError(
                f"vectors must have shape (n_visitors, {len(names)}), got {vectors.shape}"
            )
        if not len(vectors):
            raise SegmentationError("no visitors to segment: observe events first")
        sound: list[bool] = [bool(np.isfinite(column).all()) for column in vectors.T]
        if not all(sound):
            broken = [name for name, is_sound in zip(names, sound, strict=True) if not is_sound]
            raise SegmentationError(
                f"vectors must be finite; {', '.join(broken)} hold NaN or infinity"
            )
        if self.target is not None:
            _check_target(self.target, len(vectors))

    def __len__(self) -> int:
        return len(self.vectors)

    def columns(self, names: Sequence[str]) -> npt.NDArray[np.intp]:
        """Positions of features.

        Raises:
            SegmentationError: naming those that are missing.
        """
        missing = [name for name in names if name not in self.feature_names]
        if missing:
            raise SegmentationError(
                f"vectors lack {', '.join(missing)}; choose a family that does without them"
            )
        return np.array([self.feature_names.index(name) for name in names], np.intp)

    def behaviour(self, features: Sequence[str] | None = None) -> npt.NDArray[np.intp]:
        """Positions of the features that say something of the visitor.

        Args:
            features: names of those to use instead.

        Raises:
            SegmentationError: if there are none, or one is unknown; it names the nearest.
        """
        if features is not None:
            return self._named(features)
        at = [i for i, name in enumerate(self.feature_names) if name not in NOT_BEHAVIOUR]
        if not at:
            raise SegmentationError(
                f"none of {list(self.feature_names)} describes behaviour: nothing to segment by"
            )
        return np.array(at, np.intp)

    def _named(self, features: Sequence[str]) -> npt.NDArray[np.intp]:
        for name in features:
            if name not in self.feature_names:
                near = get_close_matches(name, self.feature_names, n=1)
                meant = f"; did you mean {near[0]!r}?" if near else ""
                known = ", ".join(self.feature_names)
                raise SegmentationError(f"no feature {shown(name)}{meant} Known: {known}")
        if not features or len(set(features)) < len(features):
            raise SegmentationError(
                f"features must be names, each once and at least one, got {list(features)}"
            )
        return np.array([self.feature_names.index(name) for name in features], np.intp)

    def needed_target(self) -> npt.NDArray[np.float64]:
        """The target.

        Raises:
            SegmentationError: if there is none.
        """
        if self.target is None:
            raise SegmentationError(
                "this family learns from what visitors went on to do: give the cohort a target"
            )
        return self.target

    def rows(self, index: npt.NDArray[np.intp]) -> Cohort:
        """The visitors of some rows, of which any may come several times."""
        target = None if self.target is None else self.target[index]
        return Cohort(self.vectors[index], self.feature_names, target)


class Family(Protocol):
    """A way to fit models."""

    def fit(self, cohort: Cohort, previous: Assigner | None, rng: np.random.Generator) -> Assigner:
        """Fits a model each of whose labels 0 to n_labels - 1 occurs among the visitors.

        Args:
            cohort: the visitors.
            previous: the model in use on the same features, to start from; a family ignores one
                that it did not make. None for a first fit.
            rng: the same state and input give the same model, bit for bit.

        Raises:
            SegmentationError: if the cohort lacks what the family needs.
        """


def sklearn_state(rng: np.random.Generator) -> int:
    """A seed for scikit-learn, drawn from the generator."""
    return int(rng.integers(2**31))


def _check_target(target: npt.NDArray[np.float64], n_visitors: int) -> None:
    if target.shape != (n_visitors,):
        raise SegmentationError(f"target must have shape ({n_visitors},), got {target.shape}")
    if not np.isfinite(target).all():
        raise SegmentationError("target must be finite, holds NaN or infinity")
