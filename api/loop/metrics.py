"""What the service counts about itself, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

LATENCY_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0)


class Metrics:
    """Counters of one engine, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "segue_requests", "Requests answered.", ("path", "status"), registry=self.registry
        )
        self.latency = Histogram(
            "segue_request_seconds",
            "Time from the request's last byte to the answer, in seconds.",
            ("path",),
            buckets=LATENCY_BUCKETS,
            registry=self.registry,
        )
        self.events = Counter(
            "segue_events", "Events by what became of them.", ("outcome",), registry=self.registry
        )
        self.rewards_learned = Counter(
            "segue_rewards_learned", "Rewards folded into models.", registry=self.registry
        )
        self.visitors = Gauge("segue_visitors", "Visitors known.", registry=self.registry)

    def learned(self, n_rows: int) -> None:
        """Count rewards that were learned."""
        self.rewards_learned.inc(n_rows)
