"""What keeping memberships current costs: microseconds an event, bytes a visitor, looks a day.

    python -m benchmarks.membership [--json FILE] [--quick]

Where it stands: visitors with orders over a year, in a pipeline with tiers of expected spend. Each
is told of as after an event, then a year passes without any.
"""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.report import Table, parse_options, publish
from segments.cluster.family import Cohort
from segments.cluster.fitting import fit_segments
from segments.cluster.tiers import ValueTiers
from segments.decay import DAY_S
from segments.event import Event
from segments.membership import Membership, by_absence, by_segmentation
from segments.pipeline import Pipeline

if TYPE_CHECKING:
    from segments.membership import SegmentAt

N_VISITORS, QUICK_VISITORS = 20_000, 2_000
START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 365


def main() -> None:
    options = parse_options(__doc__.splitlines()[0] if __doc__ else "")
    n_visitors = QUICK_VISITORS if options.quick else N_VISITORS
    pipeline = _shop(n_visitors, np.random.default_rng(0))
    groupings = {
        "tiers of expected spend": by_segmentation(pipeline),
        "not seen in 30 days": by_absence(pipeline, "unseen_days", 30, "away"),
    }
    rows, numbers = [], {}
    for name, segment_at in groupings.items():
        found = _measure(pipeline, segment_at)
        rows.append([name, *found.values()])
        numbers[name] = found
    heads = ("grouping", *next(iter(numbers.values())))
    title = f"{n_visitors:,} visitors, one after another, then a year without an event"
    publish("membership", [Table(title, heads, rows)], numbers, options)


def _measure(pipeline: Pipeline, segment_at: SegmentAt) -> dict[str, float]:
    visitors = list(pipeline.visitors())
    now = START + timedelta(days=DAYS)
    tracemalloc.start()
    members = Membership(segment_at, 1_800.0, DAY_S)
    for visitor in visitors:
        members.touch(visitor, now)
    members.advance(now)
    n_bytes = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    start = perf_counter()
    for visitor in visitors:
        members.touch(visitor, now)
    touched = perf_counter() - start
    start = perf_counter()
    members.advance(now)
    looked = perf_counter() - start
    start = perf_counter()
    n_moved = sum(len(members.advance(now + timedelta(days=day))) for day in range(1, DAYS + 1))
    idle = perf_counter() - start
    n = len(visitors)
    return {
        "us on the event": touched / n * 1e6,
        "us later": looked / n * 1e6,
        "us a day without an event": idle / n / DAYS * 1e6,
        "moved by time": n_moved,
        "bytes a visitor": n_bytes / n,
    }


def _shop(n_visitors: int, rng: np.random.Generator) -> Pipeline:
    """Orders of a year: some visitors many and dear ones, most few."""
    pipeline, seq = Pipeline(), 0
    for number in range(n_visitors):
        for day in np.sort(rng.uniform(0, DAYS, 1 + rng.poisson(rng.exponential(3.0)))).tolist():
            at = START + timedelta(days=day)
            cents = int(rng.lognormal(8.0, 1.0))
            event = Event(f"m{seq}", "Order Completed", f"v{number}", at, total_cents=cents)
            pipeline.observe(event, seq)
            seq += 1
    _, vectors = pipeline.matrix(START + timedelta(days=DAYS))
    cohort = Cohort(vectors, pipeline.feature_names)
    pipeline.segmentation = fit_segments(ValueTiers(), cohort, previous=None, rng=rng)
    return pipeline


if __name__ == "__main__":
    main()
