"""Model families by the name that the configuration and the command line give them."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from segments.cluster.assign.encoded import EncodedCentroids
from segments.cluster.density import Dbscan, Hdbscan
from segments.cluster.family import Family
from segments.cluster.kmeans import KMeans
from segments.cluster.neural import NeuralEncoder
from segments.cluster.segmentation import Segmentation
from segments.cluster.tiers import Rfm, ValueTiers
from segments.cluster.tree_rules import TreeRules

MAX_CHURN = 0.03
"""Share of the visitors whom a refit may put elsewhere for the same behaviour, unless said."""
N_SEGMENTS = 6
"""Of a family that has to be told, where nobody does."""
K_MEANS = "kmeans"
TREE_RULES = "tree-rules"
NEURAL, NEURAL_FORESIGHT = "neural", "neural-foresight"
LEARNING = frozenset({TREE_RULES, NEURAL_FORESIGHT})
"""Those that need to know what visitors went on to spend."""
DEFAULT = "value-tiers"
"""Lasts and knows most about the future spend on every shop of `benchmarks.segments`."""
FAMILIES: Mapping[str, Callable[[int], Family]] = {
    K_MEANS: lambda n_segments: KMeans(n_segments, MAX_CHURN),
    DEFAULT: lambda _: ValueTiers(max_churn=MAX_CHURN),
    "spend-tiers": lambda _: ValueTiers(expected=False, max_churn=MAX_CHURN),
    "rfm": lambda _: Rfm(),
    "dbscan": lambda _: Dbscan(),
    "hdbscan": lambda _: Hdbscan(),
    TREE_RULES: lambda _: TreeRules(),
    NEURAL: lambda n_segments: NeuralEncoder(n_segments, max_churn=MAX_CHURN),
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
_NAMES: Mapping[str, str] = {
    "kmeans": K_MEANS,
    "expected-spend-tiers": DEFAULT,
    "spend-tiers": "spend-tiers",
    "rfm": "rfm",
    "density": "hdbscan",
    "rules": TREE_RULES,
    "neural": NEURAL,
}


def make_family(name: str, n_segments: int | None, max_churn: float | None = MAX_CHURN) -> Family:
    """A family as it is configured.

    Args:
        name: One of `FAMILIES`.
        n_segments: For those that have to be told; None for six.
        max_churn: Budget of a refit, for those that can stop on the way to their optimum.

    Example:
        >>> make_family("kmeans", 4, 0.01)
        KMeans(n_segments=4, max_churn=0.01)
    """
    family = FAMILIES[name](n_segments or N_SEGMENTS)
    if isinstance(family, KMeans | ValueTiers | NeuralEncoder):
        return replace(family, max_churn=max_churn)
    return family


def family_of(segmentation: Segmentation) -> Family | None:
    """How a segmentation would be fitted anew, or None where it does not say."""
    assigner = segmentation.assigner
    if isinstance(assigner, EncodedCentroids) and assigner.encoder.has_foresight:
        return None  # it would have to know what visitors went on to do
    make, n_segments = _KINDS.get(assigner.kind), assigner.n_labels
    return None if make is None or n_segments < 2 else make(n_segments)


def name_of(segmentation: Segmentation) -> str:
    """The family of a segmentation of which nobody wrote down how it was fitted."""
    return _NAMES.get(segmentation.assigner.kind, DEFAULT)
