"""What each pair of an action and a segment has learned: storage under the segmented model."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from policy.bandits.action_blocks import PRIOR_SLOT, ActionBlocks
from policy.bandits.linear_model import saved_array
from policy.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Array = npt.NDArray[np.float64]


class Segments(NamedTuple):
    """Where a context says which segment it is of.

    Args:
        start: Index of the first entry of the one-hot code.
        n: Its length, may be 0. A context without a 1 there is of no segment.

    Example:
        >>> Segments(1, 2).of(np.array([1.0, 0.0, 1.0])), Segments(1, 2).of(np.array([1.0, 0, 0]))
        (1, 2)
    """

    start: int
    n: int

    def of(self, x: Array) -> int:
        """The segment of a context; ``n`` for none."""
        if not self.n:
            return 0
        code = x[self.start : self.start + self.n]
        segment = int(code.argmax())
        return segment if code[segment] > 0.5 else self.n


class Pair(NamedTuple):
    """A pair that was learned.

    Args:
        segment: Of the pair; the number of segments for contexts of none.
        action_id: Of the pair.
        gram: Σ [r; z; x] [r; z; x]ᵀ of its rows, a view, (n_rows, n_rows).
        block: [u; Wᵀ; P], a view, (n_rows + n_context, n_context); None for contexts of none.
    """

    segment: int
    action_id: str
    gram: Array
    block: Array | None


class SegmentPairs:
    """Statistics and posterior of each pair; pairs that were never learned take no room.

    Args:
        n_segments: May be 0.
        n_rows: Length of [r; z; x].
        n_context: Length of x.
    """

    def __init__(self, n_segments: int, n_rows: int, n_context: int) -> None:
        self.n_segments = n_segments
        self._grams = tuple(ActionBlocks(np.zeros((n_rows, n_rows))) for _ in range(n_segments + 1))
        self._block_shape = (n_rows + n_context, n_context)
        self._blocks = tuple(ActionBlocks(np.zeros(self._block_shape)) for _ in range(n_segments))

    def __iter__(self) -> Iterator[Pair]:
        """Every pair that was learned, segment by segment."""
        for segment, grams in enumerate(self._grams):
            for action_id in grams.action_ids:
                yield self.pair(segment, action_id)

    def pair(self, segment: int, action_id: str) -> Pair:
        """A pair, which begins at the prior if it was never learned."""
        found = self._at(self._grams, segment, action_id)
        block = None
        if segment < self.n_segments:
            block = self._at(self._blocks, segment, action_id)
        return Pair(segment, action_id, found, block)

    def products(self, segment: int, x: Array, ids: tuple[str, ...]) -> Array:
        """Each action's block in a segment times x, (n_actions, n_rows + n_context)."""
        n_rows = self._block_shape[0]
        if segment == self.n_segments:
            return np.zeros((len(ids), n_rows))
        return self._blocks[segment].products(x, ids, n_rows)

    def blocks(self, segment: int, ids: tuple[str, ...]) -> Array:
        """Each action's block in a segment, (n_actions, n_rows + n_context, n_context)."""
        if segment == self.n_segments:
            return np.zeros((len(ids), *self._block_shape))
        return self._blocks[segment].of(ids)

    def set_prior(self, precisions: Array) -> None:
        """What pairs that were never learned have, (n_context,)."""
        for blocks in self._blocks:
            blocks[PRIOR_SLOT][-len(precisions) :] = np.diag(1.0 / precisions)

    def rescale(self, share: float) -> None:
        """Let all rows count for this share of what they did."""
        for grams in self._grams:
            grams.learned()[:] *= share

    def arrays(self, action_ids: Sequence[str]) -> dict[str, Array]:
        """Copies of everything learned.

        Args:
            action_ids: All actions, whose places stand for them.
        """
        order = {action_id: float(place) for place, action_id in enumerate(action_ids)}
        places = [(float(pair.segment), order[pair.action_id]) for pair in self]
        none = np.zeros((0, *self._block_shape))
        return {
            "pair_places": np.array(places).reshape(-1, 2),
            "pair_grams": np.concatenate([grams.learned() for grams in self._grams]),
            "pair_blocks": np.concatenate([none, *(part.learned() for part in self._blocks)]),
        }

    @classmethod
    def restored(
        cls,
        n_segments: int,
        n_rows: int,
        n_context: int,
        action_ids: Sequence[str],
        arrays: Mapping[str, Array],
    ) -> SegmentPairs:
        """From what ``arrays`` gave.

        Raises:
            StateError: An array is missing, of another shape or not finite, or pairs repeat.
        """
        pairs = cls(n_segments, n_rows, n_context)
        n = len(arrays.get("pair_places", ()))
        places = saved_array(arrays, "pair_places", (n, 2))
        inside = (places >= 0.0) & (places < (n_segments + 1, len(action_ids)))
        if not (inside & (places == np.floor(places))).all() or len(np.unique(places, axis=0)) < n:
            raise StateError("saved array 'pair_places' names pairs twice, or that are not there")
        grams = saved_array(arrays, "pair_grams", (n, n_rows, n_rows))
        own = places[:, 0] < n_segments
        shape = (int(np.count_nonzero(own)), *pairs._block_shape)
        blocks = np.zeros((n, *pairs._block_shape))
        blocks[own] = saved_array(arrays, "pair_blocks", shape)
        for segment in range(n_segments + 1):
            mine = places[:, 0] == segment
            ids = [action_ids[int(place)] for place in places[mine, 1]]
            pairs._grams[segment].replace_learned(ids, grams[mine])
            if segment < n_segments:
                pairs._blocks[segment].replace_learned(ids, blocks[mine])
        return pairs

    @staticmethod
    def _at(blocks: tuple[ActionBlocks, ...], segment: int, action_id: str) -> Array:
        (slot,) = blocks[segment].slots_for((action_id,))
        return blocks[segment][slot]
