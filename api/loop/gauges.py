"""What can be read off the engine when somebody asks for its metrics.

Beside `api.loop.metrics`, whose counters go along with requests; nothing here costs a request.
"""

import asyncio
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.loop.audit import Audit
from api.loop.breaker import STATES
from api.storage.base import StoreError

if TYPE_CHECKING:
    from api.loop.engine import Engine

LAG_SECONDS = 0.25
"""For which the log is waited for; while it cannot answer, the learner's lag is left out."""

Samples = Iterable[tuple[tuple[str, ...], float]]


class Read(Collector):
    """Metrics that were read already.

    Args:
        metrics: They.
    """

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        """What Prometheus asks for."""
        return self._metrics


async def gauges(engine: "Engine") -> list[Metric]:
    """The state of an engine as metrics."""
    n_pending = await _pending(engine)
    lag: Samples = [] if n_pending is None else [((), n_pending)]
    return [
        *_of_engine(engine),
        *_of_placements(engine),
        *_of_audit(engine.metrics.audit),
        _gauge("segue_learner_lag_rewards", "Rewards of the log not learned yet.", lag),
    ]


async def _pending(engine: "Engine") -> int | None:
    try:
        async with asyncio.timeout(LAG_SECONDS):
            return max(0, await engine.store.last_reward() - engine.read_through)
    except (TimeoutError, StoreError):
        return None


def _of_engine(engine: "Engine") -> Iterator[Metric]:
    store, commits = engine.store, engine.store.commits
    breaker = STATES.index(engine.shown.breaker.state)
    yield _gauge("segue_visitors", "Visitors known.", [((), len(engine.pipeline))])
    yield _gauge("segue_store_breaker", "0 closed, 1 half-open, 2 open.", [((), breaker)])
    yield _gauge("segue_writes_waiting", "Writes that wait for the disk.", [((), store.n_waiting)])
    unlogged = len(engine.shown.backlog)
    about = "Defaults shown that wait for the log to be written."
    yield _gauge("segue_defaults_unlogged", about, [((), unlogged)])
    yield _gauge(
        "segue_requests_in_flight",
        "Requests being answered.",
        [((scope,), n) for scope, n in engine.metrics.in_flight.items()],
        "scope",
    )
    yield _counter("segue_commits", "Groups committed.", [((), commits.n_groups)])
    yield _counter("segue_commit_writes", "Writes in them.", [((), commits.n_works)])
    yield _counter("segue_commit_seconds", "Time they took.", [((), commits.seconds)])
    database = engine.settings.service.database
    yield _gauge("segue_store_bytes", "Size of the store's files.", _sizes(database), "file")


def _of_placements(engine: "Engine") -> Iterator[Metric]:
    placements = engine.placements.values()
    yield _gauge(
        "segue_rewarded_decisions",
        "Decisions whose reward was learned.",
        [((one.name,), one.n_rewarded) for one in placements],
        "placement",
    )
    yield _gauge(
        "segue_reward_sum",
        "What they earned.",
        [((one.name,), one.reward_sum) for one in placements],
        "placement",
    )


def _of_audit(audit: Audit) -> Iterator[Metric]:
    audit.fold()
    audits = audit.placements
    yield _counter(
        "segue_audited_choices",
        "One in four choices, by kind: greedy, explored, single, default.",
        [((name, kind), n) for name, one in audits.items() for kind, n in one.kinds.items()],
        "placement",
        "kind",
    )
    yield _counter(
        "segue_propensity_alarms",
        "Windows of choices that the probabilities cannot explain.",
        [((name,), one.n_alarms) for name, one in audits.items()],
        "placement",
    )
    judged = {name: one.last for name, one in audits.items() if one.last is not None}
    yield _gauge(
        "segue_propensity_p_value",
        "Chi-square of shown against probabilities, last window.",
        [((name,), last.p_value) for name, last in judged.items()],
        "placement",
    )
    yield _gauge(
        "segue_inverse_propensity_ratio",
        "Mean of 1/p over actions that could be shown, last window; 1 if right.",
        [((name,), last.inverse_ratio) for name, last in judged.items()],
        "placement",
    )


def _sizes(database: Path) -> list[tuple[tuple[str, ...], float]]:
    files = {"database": database, "wal": database.with_name(database.name + "-wal")}
    return [((name,), path.stat().st_size) for name, path in files.items() if path.exists()]


def _gauge(name: str, about: str, samples: Samples, *labels: str) -> Metric:
    family = GaugeMetricFamily(name, about, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _counter(name: str, about: str, samples: Samples, *labels: str) -> Metric:
    family = CounterMetricFamily(name, about, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family
