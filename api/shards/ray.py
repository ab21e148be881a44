"""Shards on Ray: the machines of a cluster, or this one.

Where it stands: beside `local`; opened by `where`. Nothing else imports Ray, and no request waits
for it.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any

from api.shards.base import AHEAD, OneThread, Part, Shard, ShardError, lost, noted

ADDRESS = "RAY_ADDRESS"


class Ray:
    """Maps over shards as Ray's core tasks, which it works on again where a machine is lost.

    Each machine needs this version of segue, and the files that shards name under the same path.

    Args:
        address: `ray://HOST[:PORT]` of a cluster; None for the one that the environment variable
            `RAY_ADDRESS` names, and without that for one on this machine, started and ended here.
        processes: Of one that is started here; None for one a core.

    Raises:
        ShardError: Ray is not installed, or no cluster answers; when it is entered.

    References:
        Moritz and others. Ray: A Distributed Framework for Emerging AI Applications. OSDI 2018.
    """

    def __init__(self, address: str | None = None, processes: int | None = None) -> None:
        self.address = address
        self.processes = processes
        self._ray: Any = None

    def __enter__(self) -> "Ray":
        ray = _imported()
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
        if self.address is not None:
            options["address"] = self.address
        elif ADDRESS not in os.environ:
            options |= {
                "address": "local",  # else a cluster that once ran here would be looked for
                "num_cpus": self.processes,
                "include_dashboard": False,
            }
        try:
            ray.init(**options)
        except (OSError, RuntimeError, ValueError) as error:
            where = self.address or os.environ.get(ADDRESS, "this machine")
            raise ShardError(
                f"Ray at {where} does not answer: {error}; `ray status` tells whether it runs, and "
                "where it asks for a token, set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN"
            ) from None
        self._ray = ray
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        if self._ray is not None:
            self._ray.shutdown()

    def __call__(self, work: Callable[[Shard], Part], shards: Iterable[Shard], /) -> Iterator[Part]:
        """See `MapShards`."""
        ray = self._ray
        task = ray.remote(_worked)
        everywhere = ray.put(OneThread(work))  # travels once to each machine, not with each shard
        most = AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1)))
        waiting: deque[tuple[int, Shard, Any]] = deque()
        try:
            for number, shard in enumerate(shards):
                waiting.append((number, shard, task.remote(everywhere, shard)))
                if len(waiting) > most:
                    yield _result(ray, *waiting.popleft())
            while waiting:
                yield _result(ray, *waiting.popleft())
        finally:
            for _, _, reference in waiting:
                ray.cancel(reference)


def _worked(work: Callable[[Shard], Part], shard: Shard) -> Part:
    return work(shard)


def _result(ray: Any, number: int, shard: object, reference: Any) -> Any:
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise noted(getattr(error, "cause", None) or error, number, shard) from None
    except ray.exceptions.RayError as error:
        raise lost(number, shard, str(error).partition("\n")[0]) from None


def _imported() -> Any:
    try:
        import ray  # noqa: PLC0415  # optional
    except ModuleNotFoundError:
        raise ShardError("Ray is not installed: pip install 'segue[ray]'") from None
    return ray
