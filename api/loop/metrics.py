"""What the service counts about itself, for Prometheus.

What is counted at every request is plain numbers on one thread, without locks; what can be read off
the parts of the engine is read when somebody asks (`api.loop.gauges`).
"""

from bisect import bisect_left
from collections import Counter as Counts
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector
from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from api.loop.audit import Audit

LATENCY_BUCKETS_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0)


class Metrics:
    """Counters of one engine, in a registry of its own.

    Attributes:
        in_flight: Requests that are being answered, by scope.
        audit: Of the choices.
        stages: Time of the stages of requests and of the work beside them.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.answers = Answers()
        self.registry.register(self.answers)
        self.stages = Times(
            "segue_stage_seconds", "Time of one stage of the work, in seconds.", "stage"
        )
        self.registry.register(self.stages)
        ProcessCollector(registry=self.registry)
        self.in_flight: Counts[str] = Counts()
        self.audit = Audit()
        self.events = Counter(
            "segue_events", "Events by what became of them.", ("outcome",), registry=self.registry
        )
        self.rewards_learned = Counter(
            "segue_rewards_learned", "Rewards folded into models.", registry=self.registry
        )
        self.webhooks = Counter(
            "segue_webhooks",
            "Tries to deliver a webhook, by what became of them.",
            ("endpoint", "outcome"),
            registry=self.registry,
        )
        self.webhooks_waiting = Gauge(
            "segue_webhooks_waiting",
            "Webhooks that wait to be delivered.",
            ("endpoint",),
            registry=self.registry,
        )

        self.refits = Counter(
            "segue_segment_refits",
            "Refits of the segments by what came of them.",
            ("outcome",),
            registry=self.registry,
        )
        self.churn = Gauge(
            "segue_segment_refit_churn",
            "Share of visitors that the last refit calls otherwise for the same behaviour.",
            registry=self.registry,
        )

        self.transitions = Counter(
            "segue_segment_transitions",
            "Visitors who changed segment, by grouping and cause.",
            ("grouping", "cause"),
            registry=self.registry,
        )
        self.members = Gauge(
            "segue_segment_members",
            "Visitors in a segment.",
            ("grouping", "segment"),
            registry=self.registry,
        )

    def refitted(self, outcome: str, churn: float | None) -> None:
        """Count a refit."""
        self.refits.labels(outcome).inc()
        if churn is not None:
            self.churn.set(churn)

    def learned(self, n_rows: int) -> None:
        """Count rewards that were learned."""
        self.rewards_learned.inc(n_rows)


class Times(Collector):
    """A histogram of times by one label, noted on one thread.

    Args:
        name: Of the metric.
        about: What it measures.
        label: Its one label.
    """

    def __init__(self, name: str, about: str, label: str) -> None:
        self._name, self._about, self._label = name, about, label
        self._buckets: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = {}

    def note(self, value: str, seconds: float) -> None:
        """Count one.

        Args:
            value: Of the label.
            seconds: How long it took.
        """
        buckets = self._buckets.get(value)
        if buckets is None:
            buckets = self._buckets[value] = [0] * (len(LATENCY_BUCKETS_S) + 1)
            self._seconds[value] = 0.0
        buckets[bisect_left(LATENCY_BUCKETS_S, seconds)] += 1
        self._seconds[value] += seconds

    def collect(self) -> Iterator[Metric]:
        """What Prometheus asks for."""
        times = HistogramMetricFamily(self._name, self._about, labels=(self._label,))
        for value, counts in list(self._buckets.items()):
            total, cumulative = 0, []
            for bound, count in zip((*LATENCY_BUCKETS_S, "+Inf"), counts, strict=True):
                total += count
                cumulative.append((str(bound), float(total)))
            times.add_metric((value,), cumulative, self._seconds[value])
        yield times


class Answers(Collector):
    """Answers by path and status, and their time."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, int], int] = {}
        self._times = Times(
            "segue_request_seconds",
            "Time from the request's last byte to the answer, in seconds.",
            "path",
        )

    def count(self, path: str, status: int, seconds: float | None) -> None:
        """Count one answer.

        Args:
            path: The route's, not the request's.
            status: HTTP status code.
            seconds: From the request's last byte on; None when it was never read.
        """
        key = (path, status)
        self._counts[key] = self._counts.get(key, 0) + 1
        if seconds is not None:
            self._times.note(path, seconds)

    def collect(self) -> Iterator[Metric]:
        """What Prometheus asks for."""
        requests = CounterMetricFamily(
            "segue_requests", "Requests answered.", labels=("path", "status")
        )
        for (path, status), count in list(self._counts.items()):
            requests.add_metric((path, str(status)), count)
        yield requests
        yield from self._times.collect()
