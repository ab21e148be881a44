"""Bytes a visitor, and microseconds an event, a description and a segment.

    python -m benchmarks.profiles [--visitors N] [--json FILE] [--quick]

Where it stands: measures `segments` alone, without storage or HTTP. Every visitor is a heavy one:
all places for categories, brands, sessions and remembered ids are taken. Memory is the growth of
the process's resident set while the visitors are loaded and each observes one more order, ids and
dictionary included.
"""

import argparse
import gc
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import numpy as np
from sklearn.cluster import KMeans

from api.shards.local import Local, cores
from benchmarks.report import Options, Table, publish
from segments.batch import matrix
from segments.cluster.kmeans import fit_kmeans
from segments.cluster.segmentation import Segmentation
from segments.event import Event, Product
from segments.pipeline import Pipeline

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOW = START + timedelta(days=90)
N_TEMPLATES = 199  # a prime: an even sample of visitors meets all of them
N_ORDERS = 40
N_PRODUCTS = 8
CATEGORIES = tuple(f"category {i}" for i in range(120))
BRANDS = tuple(f"brand {i}" for i in range(40))
TILES = CATEGORIES[:20]
ROUNDS = 7


def parse_options(arguments: list[str] | None = None) -> tuple[int, Options]:
    """Read `[--visitors N] [--json FILE] [--quick]` from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--visitors", type=int, default=1_000_000, metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers here")
    parser.add_argument("--quick", action="store_true", help="at most 50,000 visitors")
    given = parser.parse_args(arguments)
    n_visitors = min(given.visitors, 50_000) if given.quick else given.visitors
    if n_visitors < N_TEMPLATES:
        parser.error(f"--visitors must be at least {N_TEMPLATES}, got {n_visitors}")
    return n_visitors, Options(json_file=given.json, quick=given.quick, data=None)


def order(visitor: str, number: int, rng: np.random.Generator) -> Event:
    """An order of eight products, two days after the one before, for as long as the year lasts."""
    products = tuple(
        Product(
            product_id=f"p{i}",
            category=CATEGORIES[rng.integers(len(CATEGORIES))],
            brand=BRANDS[rng.integers(len(BRANDS))],
            price_cents=int(rng.lognormal(6.0, 1.0)),
            quantity=int(rng.integers(1, 4)),
        )
        for i in range(N_PRODUCTS)
    )
    return Event(
        message_id=f"{visitor}-{number}",
        name="Order Completed",
        visitor=visitor,
        timestamp=START
        + timedelta(days=2 * min(number, N_ORDERS), seconds=float(rng.uniform(0, 40_000))),
        order_id=f"o-{visitor}-{number}",
        discount_cents=int(rng.integers(0, 500)),
        products=products,
    )


def heavy_profiles(rng: np.random.Generator) -> list[bytes]:
    """Encoded profiles of visitors who fill every place they have."""
    pipeline = Pipeline()
    for t in range(N_TEMPLATES):
        for number in range(int(rng.integers(N_ORDERS // 2, N_ORDERS))):
            pipeline.observe(order(f"t{t}", number, rng), t * N_ORDERS + number)
    changes = pipeline.take_changes(N_TEMPLATES)
    return [data for _, _, data in changes.profiles if data is not None]


def resident_bytes() -> int:
    """The process's resident set."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4_096


def fill(n_visitors: int, rng: np.random.Generator) -> tuple[Pipeline, float]:
    """A pipeline of so many heavy visitors, and its bytes a visitor."""
    profiles = heavy_profiles(rng)
    events = [order(f"fill-{i}", N_ORDERS, rng) for i in range(N_TEMPLATES)]
    pipeline = Pipeline()
    gc.collect()
    before = resident_bytes()
    for i in range(n_visitors):
        visitor = f"{i:08d}-5b1e-4c39-9a57-{i * 2_654_435_761 % 2**48:012x}"  # as long as a UUID
        pipeline.load_profile(visitor, bytes(bytearray(profiles[i % len(profiles)])))
        like = events[i % N_TEMPLATES]
        pipeline.observe(
            Event(like.message_id, like.name, visitor, like.timestamp, products=like.products),
            N_TEMPLATES * N_ORDERS + i,
        )
        if i % 1_000 == 999:
            pipeline.take_changes(1_000)
    gc.collect()
    return pipeline, (resident_bytes() - before) / n_visitors


def processor_s() -> float:
    """Processor time of this process and of those that it started and that have ended."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def us_per_call(call: Callable[[int], object], n_calls: int) -> float:
    """Median over rounds of the mean time of a call, which is given its number."""
    rounds = []
    for r in range(ROUNDS):
        start = time.perf_counter()
        for i in range(r * n_calls, (r + 1) * n_calls):
            call(i)
        rounds.append((time.perf_counter() - start) / n_calls * 1e6)
    return median(rounds)


def measure(pipeline: Pipeline, rng: np.random.Generator, n_calls: int) -> dict[str, float]:
    """Microseconds of each thing that a request asks for."""
    visitors = list(pipeline.visitors())
    some = [visitors[i] for i in rng.integers(len(visitors), size=ROUNDS * n_calls)]
    events = [order(visitor, N_ORDERS + 1 + i, rng) for i, visitor in enumerate(some)]
    later = [order(visitor, N_ORDERS + 99_999 + i, rng) for i, visitor in enumerate(some)]
    seq = 10**9
    start = time.perf_counter()
    _, vectors = pipeline.matrix(NOW, limit=20_000)
    rows_per_s = len(vectors) / (time.perf_counter() - start)
    start, spent = time.perf_counter(), processor_s()
    with Local(cores()) as map_chunks:
        _, everybody = matrix(pipeline, NOW, map_chunks)
    everybody_s, everybody_cpu_s = time.perf_counter() - start, processor_s() - spent
    fitted = fit_kmeans(vectors, pipeline.feature_names, 6, previous=None, seed=0)
    peer = KMeans(6, n_init=1, random_state=0).fit(vectors)
    row = vectors[0]
    spent = time.process_time()
    fitted.assign_many(everybody)
    assigned_s = time.process_time() - spent
    return {
        "observe_us": us_per_call(lambda i: pipeline.observe(events[i], seq + i), n_calls),
        "describe_us": us_per_call(lambda i: pipeline.describe(some[i], NOW), n_calls),
        "affinities_us": us_per_call(
            lambda i: pipeline.affinities(some[i], "category", TILES, NOW), n_calls
        ),
        "assign_us": us_per_call(lambda _: fitted.assign(row), n_calls),
        "sklearn_predict_us": us_per_call(lambda _: peer.predict(row[None]), n_calls // 10),
        "observe_and_assign_us": us_per_call(
            lambda i: _observe_and_assign(pipeline, fitted, later[i], i), n_calls
        ),
        "matrix_rows_per_s": rows_per_s,
        "everybody_s": everybody_s,
        "everybody_cpu_s": everybody_cpu_s,
        "assign_everybody_s": assigned_s,
    }


def _observe_and_assign(
    pipeline: Pipeline, fitted: Segmentation, event: Event, number: int
) -> str | None:
    pipeline.segmentation = fitted
    visitor = pipeline.observe(event, 2 * 10**9 + number)
    return pipeline.describe(visitor, NOW).segment


def main(arguments: list[str] | None = None) -> None:
    n_visitors, options = parse_options(arguments)
    rng = np.random.default_rng(7)
    pipeline, visitor_bytes = fill(n_visitors, rng)
    took = measure(pipeline, rng, 300 if options.quick else 2_000)
    ratio = took["sklearn_predict_us"] / took["assign_us"]
    rows = [
        ("memory a visitor, id and dictionary included", f"{visitor_bytes:,.0f} bytes"),
        (f"observe an order of {N_PRODUCTS} products", f"{took['observe_us']:.1f} us"),
        (f"describe ({len(pipeline.feature_names)} features)", f"{took['describe_us']:.1f} us"),
        (f"affinities to {len(TILES)} categories", f"{took['affinities_us']:.1f} us"),
        ("assign a segment", f"{took['assign_us']:.1f} us"),
        ("the same by scikit-learn's predict", f"{took['sklearn_predict_us']:.1f} us"),
        ("scikit-learn against ours", f"{ratio:.0f} times"),
        ("an order, then features and segment", f"{took['observe_and_assign_us']:.1f} us"),
        ("features, in one process", f"{took['matrix_rows_per_s']:,.0f} visitors/s"),
        (f"features of all, {cores()} processes", f"{took['everybody_s']:.1f} s"),
        ("the same in processor time", f"{took['everybody_cpu_s']:.1f} s"),
        ("segments of all, processor time", f"{took['assign_everybody_s']:.2f} s"),
    ]
    table = Table(f"Profiles of {n_visitors:,} visitors", ("what", "measured"), rows)
    numbers = {"visitors": n_visitors, "visitor_bytes": visitor_bytes, **took}
    publish("profiles", [table], numbers, options)


if __name__ == "__main__":
    main()
