"""Model families by the name that the command line gives them."""

from collections.abc import Callable, Mapping

from segments.cluster.assign.encoded import EncodedCentroids
from segments.cluster.density import Dbscan, Hdbscan
from segments.cluster.family import Family
from segments.cluster.kmeans import KMeans
from segments.cluster.neural import NeuralEncoder
from segments.cluster.segmentation import Segmentation
from segments.cluster.tiers import Rfm, ValueTiers
from segments.cluster.tree_rules import TreeRules

MAX_CHURN = 0.03
TREE_RULES = "tree-rules"
NEURAL_FORESIGHT = "neural-foresight"
LEARNING = frozenset({TREE_RULES, NEURAL_FORESIGHT})
"""Those that need to know what visitors went on to spend."""
FAMILIES: Mapping[str, Callable[[int], Family]] = {
    "kmeans": lambda n_segments: KMeans(n_segments, MAX_CHURN),
    "value-tiers": lambda _: ValueTiers(max_churn=MAX_CHURN),
    "spend-tiers": lambda _: ValueTiers(expected=False, max_churn=MAX_CHURN),
    "rfm": lambda _: Rfm(),
    "dbscan": lambda _: Dbscan(),
    "hdbscan": lambda _: Hdbscan(),
    TREE_RULES: lambda _: TreeRules(),
    "neural": lambda n_segments: NeuralEncoder(n_segments, max_churn=MAX_CHURN),
    NEURAL_FORESIGHT: lambda n_segments: NeuralEncoder(
        n_segments, foresight=True, max_churn=MAX_CHURN
    ),
}
_KINDS: Mapping[str, Callable[[int], Family]] = {
    "kmeans": KMeans,
    "expected-spend-tiers": lambda _: ValueTiers(),
    "spend-tiers": lambda _: ValueTiers(expected=False),
    "rfm": Rfm,
    "neural": NeuralEncoder,
}
"""By the kind of a fitted model; the others do not say how they were fitted."""


def family_of(segmentation: Segmentation) -> Family | None:
    """How a segmentation would be fitted anew, or None where it does not say."""
    assigner = segmentation.assigner
    if isinstance(assigner, EncodedCentroids) and assigner.encoder.has_foresight:
        return None  # it would have to know what visitors went on to do
    make = _KINDS.get(assigner.kind)
    n_segments = assigner.n_labels
    return None if make is None or n_segments < 2 else make(n_segments)
