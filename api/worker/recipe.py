"""How segments are fitted: what is configured, and what that means beside the segments in use."""

from dataclasses import dataclass

from api.segment_families import DEFAULT, K_MEANS, name_of
from api.settings import SegmentSettings
from api.storage.base import RefitRow
from segments.cluster.segmentation import Segmentation


@dataclass(frozen=True, slots=True)
class Recipe:
    """How segments are fitted.

    Args:
        family: One of `FAMILIES`.
        n_segments: Of k-means, as it was asked for; None for as many as the family finds.
    """

    family: str
    n_segments: int | None

    @classmethod
    def of_live(cls, live: Segmentation, row: RefitRow | None) -> "Recipe":
        """How the segments in use were fitted.

        Args:
            live: The segments.
            row: What was written down about them; None for a store of before anybody did.
        """
        if row is not None and row.version == live.version:
            return cls(row.family, row.n_segments)
        return cls(name_of(live), None)


def wanted(settings: SegmentSettings, live: Recipe | None) -> Recipe:
    """What the configuration asks for; what it leaves open stays as it is.

    Example:
        >>> wanted(SegmentSettings(), None)
        Recipe(family='value-tiers', n_segments=None)
        >>> wanted(SegmentSettings(), Recipe("kmeans", 4))
        Recipe(family='kmeans', n_segments=4)
    """
    if settings.family is None and live is not None:
        family = live.family
    else:
        family = settings.family or _default(settings)
    if family != K_MEANS:
        return Recipe(family, None)  # the others find their number
    if settings.n_segments is None and live is not None and live.family == family:
        return live
    return Recipe(family, settings.n_segments)


def _default(settings: SegmentSettings) -> str:
    """Who names a number means the family that takes one."""
    return DEFAULT if settings.n_segments is None else K_MEANS


def is_another(asked: Recipe, live: Recipe, segmentation: Segmentation) -> bool:
    """Whether other segments are asked for than those in use: then all of them may change.

    Args:
        asked: What the configuration asks for.
        live: How the segments in use were fitted.
        segmentation: They themselves.
    """
    if asked.family != live.family:
        return True
    if asked.n_segments == live.n_segments or asked.n_segments is None:
        return False
    return live.n_segments is not None or asked.n_segments != segmentation.assigner.n_labels
