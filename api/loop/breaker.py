"""A circuit breaker before the log: while that fails, nobody waits for it.

Between the decider and the store. After a few failures in a row it opens, and decisions are
answered by default at once. A second later one decision tries again, and closes it or not.
"""

import time
from collections.abc import Callable
from typing import Literal

from api.storage.base import StoreUnavailableError

State = Literal["closed", "half-open", "open"]
STATES: tuple[State, ...] = ("closed", "half-open", "open")
"""By what `segue_store_breaker` shows: 0, 1, 2."""

FAILURES = 5
OPEN_SECONDS = 1.0


class Breaker:
    """Counts failures. For one thread.

    Args:
        failures: In a row, that open it.
        open_seconds: For how long it stays open before one may try.
        ticks: Seconds, never backwards.

    Example:
        >>> breaker = Breaker(failures=1, ticks=lambda: 0.0)
        >>> breaker.check()
        >>> breaker.failed()
        >>> breaker.state
        'open'
    """

    def __init__(
        self,
        failures: int = FAILURES,
        open_seconds: float = OPEN_SECONDS,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self.state: State = "closed"
        self._most = failures
        self._open_seconds = open_seconds
        self._ticks = ticks
        self._n_failures = 0
        self._opened_at = 0.0

    def check(self) -> None:
        """Ask before a write; `succeeded` or `failed` has to follow.

        Raises:
            StoreUnavailableError: It is open, or somebody else tries.
        """
        if self.state == "closed":
            return
        if self.state == "open" and self._ticks() - self._opened_at >= self._open_seconds:
            self.state = "half-open"
            return
        raise StoreUnavailableError("the log failed a moment ago, and is tried again in a second")

    def succeeded(self) -> None:
        """A write became durable."""
        if self._n_failures:
            self._n_failures = 0
            self.state = "closed"

    def failed(self) -> None:
        """A write did not."""
        self._n_failures += 1
        if self.state == "half-open" or self._n_failures >= self._most:
            self.state = "open"
            self._opened_at = self._ticks()
