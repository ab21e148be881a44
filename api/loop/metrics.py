"""What the service counts about itself, for Prometheus."""

from bisect import bisect_left
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

LATENCY_BUCKETS_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0)


class Metrics:
    """Counters of one engine, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.answers = Answers()
        self.registry.register(self.answers)
        self.events = Counter(
            "segue_events", "Events by what became of them.", ("outcome",), registry=self.registry
        )
        self.rewards_learned = Counter(
            "segue_rewards_learned", "Rewards folded into models.", registry=self.registry
        )
        self.visitors = Gauge("segue_visitors", "Visitors known.", registry=self.registry)
        self.breaker = Gauge(
            "segue_store_breaker", "0 closed, 1 half-open, 2 open.", registry=self.registry
        )
        self.waiting = Gauge(
            "segue_writes_waiting", "Writes that wait for the disk.", registry=self.registry
        )
        self.unlogged = Gauge(
            "segue_defaults_unlogged",
            "Defaults shown that wait for the log to be written.",
            registry=self.registry,
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

    def learned(self, n_rows: int) -> None:
        """Count rewards that were learned."""
        self.rewards_learned.inc(n_rows)


class Answers(Collector):
    """Answers by path and status, and their time; counted on one thread, without locks."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, int], int] = {}
        self._buckets: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = {}

    def count(self, path: str, status: int, seconds: float | None) -> None:
        """Count one answer.

        Args:
            path: The route's, not the request's.
            status: HTTP status code.
            seconds: From the request's last byte on; None when it was never read.
        """
        key = (path, status)
        self._counts[key] = self._counts.get(key, 0) + 1
        if seconds is None:
            return
        buckets = self._buckets.get(path)
        if buckets is None:
            buckets = self._buckets[path] = [0] * (len(LATENCY_BUCKETS_S) + 1)
        buckets[bisect_left(LATENCY_BUCKETS_S, seconds)] += 1
        self._seconds[path] = self._seconds.get(path, 0.0) + seconds

    def collect(self) -> Iterator[Metric]:
        """What Prometheus asks for."""
        requests = CounterMetricFamily(
            "segue_requests", "Requests answered.", labels=("path", "status")
        )
        for (path, status), count in self._counts.items():
            requests.add_metric((path, str(status)), count)
        yield requests
        times = HistogramMetricFamily(
            "segue_request_seconds",
            "Time from the request's last byte to the answer, in seconds.",
            labels=("path",),
        )
        for path, counts in self._buckets.items():
            total, cumulative = 0, []
            for bound, count in zip((*LATENCY_BUCKETS_S, "+Inf"), counts, strict=True):
                total += count
                cumulative.append((str(bound), float(total)))
            times.add_metric((path,), cumulative, self._seconds[path])
        yield times
