"""How fast visitors are assigned, models refitted and changes noticed; how often falsely.

Where it stands: synthetic input, no data set; the last tables of `python -m benchmarks.segments`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from benchmarks.report import Table
from benchmarks.segments.measure import CANDIDATES
from segments.behaviour.adaptive_window import AdaptiveWindow
from segments.cluster.family import Cohort
from segments.cluster.kmeans import KMeans
from segments.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.report import Cell

N_FITTED = 5_000
N_SINGLE = 5_000
ASSIGNED = (
    "k-means, k=6",
    "HDBSCAN",
    "DBSCAN",
    "tree rules",
    "neural encoder, k=5",
    "RFM, 5 bins",
    "expected-spend pyramid",
)
N_CHANGES = 400
STABLE_BEFORE = 300
STREAMS: Mapping[str, Callable[[np.random.Generator, int], npt.NDArray[np.float64]]] = {
    "normal": lambda rng, n: rng.normal(0.0, 1.0, n),
    "exponential": lambda rng, n: rng.exponential(1.0, n),
    "0/1, one in ten": lambda rng, n: (rng.random(n) < 0.1).astype(np.float64),
    "Student t, 3 degrees": lambda rng, n: rng.standard_t(3, n),
}


def assignment(quick: bool) -> tuple[Table, dict[str, Any]]:
    """Microseconds per single visitor and seconds per million, by family."""
    rng = np.random.default_rng(1)
    n_many = 100_000 if quick else 1_000_000
    names = Pipeline.feature_names
    few = rng.random((N_FITTED, len(names)), dtype=np.float32)
    many = rng.random((n_many, len(names)), dtype=np.float32)
    cohort = Cohort(few, names, few[:, 0].astype(np.float64))
    rows: list[list[Cell]] = []
    for name in (name for name in ASSIGNED if name in CANDIDATES):
        model = CANDIDATES[name].fit(cohort, None, np.random.default_rng(0))
        label = model.label
        single = _seconds(lambda label=label: [label(row) for row in many[:N_SINGLE]])
        batch = _seconds(lambda model=model: model.labels(many))
        rows.append([name, single / N_SINGLE * 1e6, batch * 1e6 / n_many])
    title = f"Assignment of {n_many:,} visitors of {len(names)} features, one core"
    headers = ("family", "us one at a time", "s a million at once")
    figures = [dict(zip(("family", "us_single", "s_million"), row, strict=True)) for row in rows]
    return Table(title, headers, rows), {"assignment": figures}


def fitting(quick: bool) -> tuple[Table, dict[str, Any]]:
    """Seconds of a refit, beside scikit-learn's two on the same scaled points."""
    from sklearn.cluster import KMeans as Lloyd  # noqa: PLC0415 - slow to import
    from sklearn.cluster import MiniBatchKMeans  # noqa: PLC0415

    n, width, k = (25_000 if quick else 250_000), 40, 6
    rng = np.random.default_rng(2)
    centres = rng.normal(0.0, 1.0, (k, width))
    vectors = (centres[rng.integers(0, k, n)] + rng.normal(0.0, 1.0, (n, width))).astype(np.float32)
    cohort = Cohort(vectors, tuple(f"feature_{i}" for i in range(width)))
    family = KMeans(k, max_churn=0.03)
    first = family.fit(cohort, None, np.random.default_rng(0))
    points = first.scaling.apply(vectors)
    rows: list[list[Cell]] = [
        ["ours, first fit of ten starts", _seconds(lambda: family.fit(cohort, None, rng))],
        ["ours, warm refit", _seconds(lambda: family.fit(cohort, first, rng))],
        ["KMeans, ten starts", _seconds(lambda: Lloyd(k, n_init=10, random_state=0).fit(points))],
        ["MiniBatchKMeans", _seconds(lambda: MiniBatchKMeans(k, random_state=0).fit(points))],
    ]
    title = f"k-means on {n:,} visitors of {width} features, k = {k}"
    return Table(title, ("fit", "seconds"), rows), {"fitting": dict(rows)}


def change_detection(quick: bool) -> tuple[Table, dict[str, Any]]:
    """False alarms per 10,000 values, and how soon a shift of one deviation is found."""
    n_streams = 20 if quick else 200
    rows: list[list[Cell]] = []
    for name, draw in STREAMS.items():
        alarms = 0
        for seed in range(n_streams):
            window = AdaptiveWindow()
            alarms += sum(map(window.update, draw(np.random.default_rng(seed), 5_000).tolist()))
        rows.append([f"false alarms per 10,000, {name}", alarms / n_streams / 0.5])
    waits = np.array([_wait(seed) for seed in range(N_CHANGES)])
    rows += [
        ["median values until a shift of one deviation is found", float(np.median(waits))],
        ["share of such shifts found within 60 values", float((waits <= 60).mean())],
        ["us an update", _update_us()],
    ]
    return Table("Change detection", ("measure", "found"), rows), {"change": dict(rows)}


def _wait(seed: int) -> int:
    rng, window = np.random.default_rng(seed), AdaptiveWindow()
    window.extend(rng.normal(0.0, 1.0, STABLE_BEFORE + seed % 12).tolist())
    values = rng.normal(1.0, 1.0, 1_000).tolist()
    return next((i for i, value in enumerate(values, 1) if window.update(value)), len(values))


def _update_us() -> float:
    values = np.random.default_rng(0).normal(0.0, 1.0, 200_000).tolist()
    update = AdaptiveWindow().update
    return _seconds(lambda: [update(value) for value in values]) / len(values) * 1e6


def _seconds(work: Callable[[], object]) -> float:
    """Processor seconds of one round: others' work on the machine does not count."""
    start = time.process_time()
    work()
    return time.process_time() - start
