"""A circuit breaker: while the service is down, pages do not wait for it."""

import time
from collections.abc import Callable

from api.client.errors import UnreachableError

FAILURES = 5
OPEN_SECONDS = 1.0


class Breaker:
    """Opens after failures in a row; then one request a second finds out whether it may close.

    Args:
        clock: Seconds, never backwards.

    Example:
        >>> breaker = Breaker(clock=lambda: 0.0)
        >>> for _ in range(5):
        ...     breaker.failed()
        >>> breaker.check()
        Traceback (most recent call last):
        ...
        api.client.errors.UnreachableError: the service did not answer 5 times in a row
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._opened_at = 0.0

    def check(self) -> None:
        """Let a request through.

        Raises:
            UnreachableError: Not now.
        """
        if self._failures < FAILURES:
            return
        now = self._clock()
        if now - self._opened_at < OPEN_SECONDS:
            raise UnreachableError(f"the service did not answer {self._failures} times in a row")
        self._opened_at = now

    def succeeded(self) -> None:
        """The service answered."""
        self._failures = 0

    def failed(self) -> None:
        """It did not."""
        self._failures += 1
        if self._failures >= FAILURES:
            self._opened_at = self._clock()
