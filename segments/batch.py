"""Everybody's features at once, on all cores: the same code as for one visitor, in chunks.

Beside `pipeline`, for work off the request path: fits, reports, exports. Chunks are read wherever
they are sent and put together in the order in which they were cut, so that the result does not
depend on where that was, bit for bit.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

import numpy as np

from segments.errors import SegmentsError
from segments.features.base import moment
from segments.features.schema import SCHEMA
from segments.profile import decode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    import numpy.typing as npt

    from segments.pipeline import Pipeline

    Vectors: TypeAlias = npt.NDArray[np.float32]
    MapChunks: TypeAlias = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]

CHUNK: Final = 5_000
"""Visitors that a process reads at a time: some megabytes to hand over."""
WORTH_A_POOL: Final = 20_000
"""Visitors below which starting processes takes longer than reading does."""

Chunk = TypeVar("Chunk")


def matrix(
    pipeline: Pipeline, now: datetime, map_chunks: MapChunks = map
) -> tuple[list[str], Vectors]:
    """What `Pipeline.matrix` gives, on several cores.

    Args:
        pipeline: whose visitors; must not change meanwhile.
        now: timezone-aware.
        map_chunks: how a function is applied to every chunk, results in order: `map`, or what works
            on many at once; not asked with few visitors.

    Returns:
        Visitors in the order of their first event, and shape (n_visitors, n_features).

    Raises:
        SegmentsError: if `now` carries no timezone.

    Example:
        >>> from datetime import UTC, datetime
        >>> from segments.pipeline import Pipeline
        >>> visitors, vectors = matrix(Pipeline(), datetime(2026, 3, 1, tzinfo=UTC))
        >>> len(visitors), vectors.shape[1] == len(Pipeline.feature_names)
        (0, True)
    """
    if len(pipeline) < WORTH_A_POOL:
        return pipeline.matrix(now)
    if now.tzinfo is None:
        raise SegmentsError(f"now must carry a timezone, got {now.isoformat()}")
    visitors = list(pipeline.visitors())
    seconds = now.timestamp()
    profiles = chunks(pipeline.encoded_profiles(), CHUNK)
    vectors = np.empty((len(visitors), len(pipeline.feature_names)), np.float32)
    at = 0
    for part in map_chunks(_Reader(seconds), profiles):
        vectors[at : at + len(part)] = part
        at += len(part)
    return visitors, vectors


def chunks(items: Iterable[Chunk], size: int) -> Iterator[Sequence[Chunk]]:
    """Cuts what comes into lists of a size, the last one shorter.

    Example:
        >>> list(chunks(range(5), 2))
        [[0, 1], [2, 3], [4]]
    """
    source = iter(items)
    while chunk := list(islice(source, size)):
        yield chunk


class _Reader:
    """Encoded profiles in, their vectors at one moment out."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self, profiles: Sequence[bytes]) -> Vectors:
        at = moment(self.seconds)
        return np.array([SCHEMA.read(decode(data), at) for data in profiles], np.float32)
