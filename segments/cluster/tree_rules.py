"""Segments as rules: a shallow decision tree grown on a target, or on another model's answers.

Supervised, its leaves are groups that went on to spend (or convert) alike. As a surrogate it says
in rules what any other segmentation does, and how faithfully: the share of visitors, not seen in
growing it, whom it puts where the model does.

References:
    L. Breiman, J. Friedman, R. Olshen, C. Stone, "Classification and Regression Trees", 1984.
    M. Craven, J. Shavlik, "Extracting Tree-Structured Representations of Trained Networks",
    NIPS 1995 (surrogates and their fidelity).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from segments.cluster.assign.base import NOISE
from segments.cluster.assign.flat_tree import LEAF, FlatTree
from segments.cluster.family import sklearn_state
from segments.cluster.segmentation import MAX_SEGMENTS
from segments.errors import SegmentationError

if TYPE_CHECKING:
    import numpy.typing as npt

    from segments.cluster.assign.base import Assigner, Floats, Labels
    from segments.cluster.family import Cohort
    from segments.cluster.segmentation import Segmentation

MAX_DEPTH: Final = 4
_OF_THE_MOMENT: Final = (
    "known",
    "now_hour_sin",
    "now_hour_cos",
    "now_weekday_sin",
    "now_weekday_cos",
    "session_events",
    "session_depth",
    "session_minutes",
)
"""Features of the moment of reading: a rule over them would be about the fit, not the visitor."""
_WORTH_A_CHANGE: Final = 0.05
"""A new tree replaces the one in use if it explains this much more of what that explained."""
_HELD_OUT: Final = 3
"""One visitor in so many judges a surrogate instead of growing it."""


@dataclass(frozen=True, slots=True)
class TreeRules:
    """The family of trees grown on the cohort's target.

    A refit keeps the tree in use unless a new one explains at least 5 % more of the target of
    visitors whom neither was grown on.

    Args:
        max_leaves: 2 to 12.
        min_share: share of the visitors that a leaf has at least, above 0, at most 0.5.

    Raises:
        SegmentationError: if a number is out of range.
    """

    max_leaves: int = MAX_SEGMENTS
    min_share: float = 0.02

    def __post_init__(self) -> None:
        _check(self.max_leaves, self.min_share)

    def fit(self, cohort: Cohort, previous: Assigner | None, rng: np.random.Generator) -> FlatTree:
        """See `Family.fit`."""
        columns = _rule_columns(cohort)
        if isinstance(previous, FlatTree) and self._keeps(previous, cohort, columns, rng):
            return previous
        return self._grow(cohort, columns, rng)

    def _grow(self, cohort: Cohort, columns: Labels, rng: np.random.Generator) -> FlatTree:
        from sklearn.tree import DecisionTreeRegressor  # noqa: PLC0415 - only a fit needs it

        grown = DecisionTreeRegressor(
            max_depth=MAX_DEPTH,
            max_leaf_nodes=self.max_leaves,
            min_samples_leaf=_least(self.min_share, len(cohort)),
            random_state=sklearn_state(rng),
        ).fit(cohort.vectors[:, columns], cohort.needed_target())
        leaves = np.flatnonzero(grown.tree_.children_left == LEAF)
        leaf_label = np.full(grown.tree_.node_count, NOISE, np.intp)
        leaf_label[leaves] = np.arange(len(leaves))
        return _flat(grown.tree_, columns, leaf_label)

    def _keeps(
        self, old: FlatTree, cohort: Cohort, columns: Labels, rng: np.random.Generator
    ) -> bool:
        """Whether the tree in use still does; it must not have lost a leaf."""
        found = old.labels(cohort.vectors)
        if len(np.unique(found[found != NOISE])) < old.n_labels:
            return False
        half = rng.permutation(len(cohort)) % 2 == 0
        if half.all():
            return True
        trial = self._grow(cohort.rows(np.flatnonzero(half)), columns, rng)
        judge = cohort.rows(np.flatnonzero(~half))
        new, known = trial.labels(judge.vectors), old.labels(judge.vectors)
        target = judge.needed_target()
        return _explained(new, target) <= (1.0 + _WORTH_A_CHANGE) * _explained(known, target)


@dataclass(frozen=True, slots=True)
class Surrogate:
    """Rules that explain another segmentation.

    Args:
        rules: by segment id, in words; "or" between several ways to belong.
        fidelity: share of held-out visitors whom the rules put where the model does.
        tree: the rules as a model, whose label i is segment i of the one explained, as far as
            any leaf stands for it.
        n_leaves: number of single rules.
    """

    rules: tuple[tuple[str, str], ...]
    fidelity: float
    tree: FlatTree
    n_leaves: int


def explain(
    segmentation: Segmentation, cohort: Cohort, rng: np.random.Generator, max_leaves: int = 12
) -> Surrogate:
    """A segmentation in rules.

    Args:
        segmentation: of any family.
        cohort: whose answers the rules are grown on.
        rng: picks the visitors who judge.
        max_leaves: 2 to 12.

    Raises:
        SegmentationError: if `max_leaves` is out of range, or the cohort has other features.
    """
    _check(max_leaves, 0.5)
    segmentation.require_features(cohort.feature_names)
    labels = segmentation.assign_many(cohort.vectors)
    columns = _rule_columns(cohort)
    judges = rng.permutation(len(cohort)) % _HELD_OUT == 0
    if judges.all() or len(cohort) < 2 * _HELD_OUT:
        judges = np.zeros(len(cohort), np.bool_)
    trial = _imitate(cohort, labels, columns, ~judges, (max_leaves, rng))
    judged = judges if judges.any() else ~judges
    fidelity = float((trial.labels(cohort.vectors[judged]) == labels[judged]).mean())
    tree = _imitate(cohort, labels, columns, np.ones(len(cohort), np.bool_), (max_leaves, rng))
    words = tree.words(cohort.feature_names) or []
    ids = [segment.id for segment in segmentation.segments]
    rules = tuple((ids[i], said) for i, said in enumerate(words) if said)
    return Surrogate(rules, fidelity, tree, int((tree.left == LEAF).sum()))


def _imitate(
    cohort: Cohort,
    labels: Labels,
    columns: Labels,
    rows: npt.NDArray[np.bool_],
    settings: tuple[int, np.random.Generator],
) -> FlatTree:
    """A tree that answers as the labels do."""
    from sklearn.tree import DecisionTreeClassifier  # noqa: PLC0415 - only a fit needs it

    max_leaves, rng = settings
    grown = DecisionTreeClassifier(
        max_depth=MAX_DEPTH,
        max_leaf_nodes=max_leaves,
        min_samples_leaf=_least(0.005, int(rows.sum())),
        random_state=sklearn_state(rng),
    ).fit(cohort.vectors[rows][:, columns], labels[rows])
    raw = grown.tree_
    said = grown.classes_[raw.value[:, 0, :].argmax(axis=1)]
    leaf_label = np.where(raw.children_left == LEAF, said, NOISE).astype(np.intp)
    return _flat(raw, columns, leaf_label)


def _flat(raw: Any, columns: Labels, leaf_label: Labels) -> FlatTree:
    """A scikit-learn tree as plain arrays over the whole vector."""
    inner = raw.children_left != LEAF
    return FlatTree(
        raw.children_left.astype(np.intp),
        raw.children_right.astype(np.intp),
        np.where(inner, columns[np.maximum(raw.feature, 0)], 0).astype(np.intp),
        np.where(inner, raw.threshold, 0.0),
        leaf_label,
    )


def _rule_columns(cohort: Cohort) -> Labels:
    names = cohort.feature_names
    at = [i for i, name in enumerate(names) if name not in _OF_THE_MOMENT]
    if not at:
        raise SegmentationError(f"none of {list(names)} describes visitors: nothing to split by")
    return np.array(at, np.intp)


def _explained(labels: Labels, target: Floats) -> float:
    """Sum of squares between the groups."""
    _, groups = np.unique(labels, return_inverse=True)
    sizes, sums = np.bincount(groups), np.bincount(groups, target)
    return float(((sums / sizes - target.mean()) ** 2 * sizes).sum())


def _least(share: float, n_visitors: int) -> int:
    return max(1, int(np.ceil(share * n_visitors)))


def _check(max_leaves: int, min_share: float) -> None:
    if not 2 <= max_leaves <= MAX_SEGMENTS:
        raise SegmentationError(f"max_leaves must be 2 to {MAX_SEGMENTS}, got {max_leaves}")
    if not 0.0 < min_share <= 0.5:
        raise SegmentationError(f"min_share must be above 0, at most 0.5, got {min_share}")
