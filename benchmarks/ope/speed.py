"""Seconds of IPS, SNIPS and doubly robust together, from a parquet file."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from api.shards.local import Local
from benchmarks.ope.worlds import WORLDS, draw_log
from policy.ope.estimators.doubly_robust import DoublyRobust
from policy.ope.estimators.ips import IPS
from policy.ope.estimators.snips import SNIPS
from policy.ope.evaluate import Question, evaluate
from policy.ope.formats.parquet import parquet_shards, write_parquet
from policy.ope.formats.table import Columns
from policy.ope.targets import Uniform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy.ope.formats.parquet import ParquetShard
    from policy.ope.log import Decisions
    from policy.ope.results import Evaluation

ROW_GROUP, PROCESSES = 100_000, 2
WORLD = next(world for world in WORLDS if world.n_actions == 20)
QUESTION = Question({"uniform": Uniform()}, (IPS(), SNIPS(), DoublyRobust()))


@dataclass(frozen=True, slots=True)
class Speed:
    """What was measured.

    Args:
        n_rows: Of the log, of 20 actions and 5 context features.
        seconds: In one process, both passes and the reading.
        cpu_seconds: Of a processor in it, which is what a busy machine does not change.
        pool_seconds: With two processes.
        is_same: Whether both gave the same numbers, bit for bit.
        peak_mb: Most memory that this process has held when it was done with one process.
    """

    n_rows: int
    seconds: float
    cpu_seconds: float
    pool_seconds: float
    is_same: bool
    peak_mb: float


def measure_speed(n_rows: int, seed: int = 0) -> Speed:
    """Write a log of about so many rows to a file, and evaluate a policy on it twice."""
    n_chunks = max(1, n_rows // ROW_GROUP)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.parquet"
        write_parquet(path, _chunks(n_chunks, min(ROW_GROUP, n_rows), seed))

        def chunks() -> tuple[ParquetShard, ...]:
            return parquet_shards(path, Columns())

        started, cpu_started = time.perf_counter(), time.process_time()
        whole = evaluate(chunks, QUESTION)
        seconds = time.perf_counter() - started
        cpu_seconds = time.process_time() - cpu_started
        peak_mb = _peak_mb()
        with Local(PROCESSES) as pool:
            list(pool(abs, range(PROCESSES)))  # started before the clock is
            started = time.perf_counter()
            sharded = evaluate(chunks, QUESTION, pool)
            pool_seconds = time.perf_counter() - started
    is_same = _values(whole) == _values(sharded)
    return Speed(whole.n_rows, seconds, cpu_seconds, pool_seconds, is_same, peak_mb)


def _peak_mb() -> float:
    # Kilobytes on Linux, bytes on macOS.
    scale = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


def _chunks(n_chunks: int, rows: int, seed: int) -> Iterator[Decisions]:
    # Only what the three need: action, reward, propensity and the context. Drawn once: what takes
    # time is to read and to estimate.
    drawn = draw_log(WORLD, rows, np.random.default_rng(seed))
    yield from repeat(replace(drawn, logging=None, targets={}), n_chunks)


def _values(found: Evaluation) -> list[tuple[float, float]]:
    return [(one.value, one.error) for result in found.results for one in result.estimates]
