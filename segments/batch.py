"""Everybody's features at once, on all cores: the same code as for one visitor, in chunks.

Beside `pipeline`, for work off the request path: fits, reports, exports. Chunks are read by a pool
of processes and put together in the order in which they were cut, so that the result does not
depend on how many processes there are, bit for bit.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

from segments.errors import SegmentsError
from segments.features.base import moment
from segments.features.schema import SCHEMA
from segments.profile import decode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Future
    from datetime import datetime

    import numpy.typing as npt

    from segments.pipeline import Pipeline

CHUNK: Final = 5_000
"""Visitors that a process reads at a time: some megabytes to hand over."""
WORTH_A_POOL: Final = 20_000
"""Visitors below which starting processes takes longer than reading does."""

Chunk = TypeVar("Chunk")
Part = TypeVar("Part")


def matrix(
    pipeline: Pipeline, now: datetime, n_processes: int | None = None
) -> tuple[list[str], npt.NDArray[np.float32]]:
    """What `Pipeline.matrix` gives, on several cores.

    Args:
        pipeline: whose visitors; must not change meanwhile.
        now: timezone-aware.
        n_processes: at least 1; None for one a core, and for none with few visitors.

    Returns:
        Visitors in the order of their first event, and shape (n_visitors, n_features).

    Raises:
        SegmentsError: if `now` carries no timezone, or the number is out of range.

    Example:
        >>> from datetime import UTC, datetime
        >>> from segments.pipeline import Pipeline
        >>> visitors, vectors = matrix(Pipeline(), datetime(2026, 3, 1, tzinfo=UTC))
        >>> len(visitors), vectors.shape[1] == len(Pipeline.feature_names)
        (0, True)
    """
    if n_processes is None and len(pipeline) < WORTH_A_POOL:
        return pipeline.matrix(now)
    if now.tzinfo is None:
        raise SegmentsError(f"now must carry a timezone, got {now.isoformat()}")
    visitors = list(pipeline.visitors())
    seconds = now.timestamp()
    profiles = chunks(pipeline.encoded_profiles(), CHUNK)
    parts = map_in_order(_Reader(seconds), profiles, n_processes or _n_cores())
    vectors = np.empty((len(visitors), len(pipeline.feature_names)), np.float32)
    at = 0
    for part in parts:
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


def map_in_order(
    work: Callable[[Chunk], Part], items: Iterable[Chunk], n_processes: int
) -> Iterator[Part]:
    """Results in the order of the items, of which only a few are in memory at once.

    Args:
        work: a function, or an object, that can be pickled.
        items: what it is called with.
        n_processes: 1 works in this process.

    Raises:
        SegmentsError: if the number is below 1.
    """
    if n_processes < 1:
        raise SegmentsError(f"n_processes must be at least 1, got {n_processes}")
    if n_processes == 1:
        yield from map(work, items)
        return
    context = multiprocessing.get_context("spawn")  # a fork would copy a service's threads' locks
    with ProcessPoolExecutor(n_processes, mp_context=context) as pool:
        waiting: deque[Future[Part]] = deque()
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > 2 * n_processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


class _Reader:
    """Encoded profiles in, their vectors at one moment out."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self, profiles: Sequence[bytes]) -> npt.NDArray[np.float32]:
        at = moment(self.seconds)
        return np.array([SCHEMA.read(decode(data), at) for data in profiles], np.float32)


def _n_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
