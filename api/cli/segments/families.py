"""Model families by the name that the command line gives them."""

from collections.abc import Callable, Mapping

from segments.cluster.density import Dbscan, Hdbscan
from segments.cluster.family import Family
from segments.cluster.kmeans import KMeans
from segments.cluster.segmentation import Segmentation
from segments.cluster.tiers import Rfm, ValueTiers
from segments.cluster.tree_rules import TreeRules

MAX_CHURN = 0.03
TREE_RULES = "tree-rules"
FAMILIES: Mapping[str, Callable[[int], Family]] = {
    "kmeans": lambda n_segments: KMeans(n_segments, MAX_CHURN),
    "value-tiers": lambda _: ValueTiers(max_churn=MAX_CHURN),
    "spend-tiers": lambda _: ValueTiers(expected=False, max_churn=MAX_CHURN),
    "rfm": lambda _: Rfm(),
    "dbscan": lambda _: Dbscan(),
    "hdbscan": lambda _: Hdbscan(),
    TREE_RULES: lambda _: TreeRules(),
}
_KINDS: Mapping[str, Callable[[int], Family]] = {
    "kmeans": KMeans,
    "expected-spend-tiers": lambda _: ValueTiers(),
    "spend-tiers": lambda _: ValueTiers(expected=False),
    "rfm": Rfm,
}
"""By the kind of a fitted model; the others do not say how they were fitted."""


def family_of(segmentation: Segmentation) -> Family | None:
    """How a segmentation would be fitted anew, or None where it does not say."""
    make = _KINDS.get(segmentation.assigner.kind)
    n_segments = segmentation.assigner.n_labels
    return None if make is None or n_segments < 2 else make(n_segments)
