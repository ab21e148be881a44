"""What a policy sees of a visitor: the last stage of this room, the first of the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """One visitor at one moment, as a policy sees it.

    Args:
        visitor: the id in use, after aliases.
        known: whether any event of this visitor was ever seen.
        vector: shape (n_features,), float32, every number of the order of 1.
        segment: id of the segment, or None without a segmentation or a known visitor.
    """

    visitor: str
    known: bool
    vector: npt.NDArray[np.float32]
    segment: str | None
