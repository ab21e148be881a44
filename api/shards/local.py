"""Shards on this machine's cores.

Where it stands: beside `ray`; opened by `where`.
"""

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType

from api.shards.base import AHEAD, OneThread, Part, Shard, ShardError, lost, noted


class Local:
    """Maps over shards in a pool of processes, which starts when it is first needed.

    Args:
        processes: At least 1; 1 works in this process, and starts none.

    Raises:
        ShardError: The number is below 1.

    Example:
        >>> with Local(1) as map_shards:
        ...     list(map_shards(len, ["a", "bcd"]))
        [1, 3]
    """

    def __init__(self, processes: int) -> None:
        if processes < 1:
            raise ShardError(f"processes is {processes}: must be at least 1")
        self.processes = processes
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> "Local":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def __call__(self, work: Callable[[Shard], Part], shards: Iterable[Shard], /) -> Iterator[Part]:
        """See `MapShards`."""
        alone = OneThread(work)
        if self.processes == 1:
            return _here(alone, shards)
        return self._pooled(alone, shards)

    def _pooled(self, work: OneThread[Shard, Part], shards: Iterable[Shard]) -> Iterator[Part]:
        if self._pool is None:
            # Not forked: that would copy the locks of this process's threads.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self.processes, mp_context=context)
        waiting: deque[tuple[int, Shard, Future[Part]]] = deque()
        try:
            for number, shard in enumerate(shards):
                try:
                    waiting.append((number, shard, self._pool.submit(work, shard)))
                except BrokenProcessPool as error:
                    raise lost(number, shard, error) from None
                if len(waiting) > AHEAD * self.processes:
                    yield _result(*waiting.popleft())
            while waiting:
                yield _result(*waiting.popleft())
        finally:
            for _, _, future in waiting:
                future.cancel()


def cores() -> int:
    """How many this process may use.

    Example:
        >>> cores() >= 1
        True
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _here(work: OneThread[Shard, Part], shards: Iterable[Shard]) -> Iterator[Part]:
    for number, shard in enumerate(shards):
        try:
            part = work(shard)
        except Exception as error:
            raise noted(error, number, shard) from None
        yield part


def _result(number: int, shard: Shard, future: "Future[Part]") -> Part:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise lost(number, shard, error) from None
    except Exception as error:
        raise noted(error, number, shard) from None
