"""Quiet for measuring: a core of one's own, and no garbage collection.

Where it stands: around a server's start and around a load generator's run.
"""

import contextlib
import gc
import os
from collections.abc import Iterator


@contextlib.contextmanager
def pinned(core: int) -> Iterator[None]:
    """Keep this process, and those that it starts, on one core where there are two."""
    if not hasattr(os, "sched_setaffinity") or len(allowed := os.sched_getaffinity(0)) < 2:
        yield
        return
    os.sched_setaffinity(0, {sorted(allowed)[core]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


@contextlib.contextmanager
def without_collector() -> Iterator[None]:
    """No collection in the generator: its pauses would be taken for the server's."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
