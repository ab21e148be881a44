"""How many requests a key may send: a token bucket each, and the headers that say so.

References:
    IETF, draft-ietf-httpapi-ratelimit-headers, "RateLimit header fields for HTTP".
"""

import math
import time
from collections.abc import Callable, Mapping

from api.problems import Problem


class RateLimit:
    """So many requests a second, with a second's worth at once.

    Args:
        per_second: Requests, above 0.
        ticks: Seconds, never backwards.

    Example:
        >>> limit = RateLimit(2.0, ticks=lambda: 0.0)
        >>> [limit.take() for _ in range(2)]
        [1, 0]
    """

    def __init__(self, per_second: float, ticks: Callable[[], float] = time.monotonic) -> None:
        self.per_second = per_second
        self.quota = max(1, math.floor(per_second))
        self._ticks = ticks
        self._left = float(self.quota)
        self._at = ticks()

    def take(self) -> int:
        """Count one request.

        Returns:
            How many more may come at once.

        Raises:
            Problem: 429 when there was none left; then it does not count.
        """
        now = self._ticks()
        self._left = min(self.quota, self._left + (now - self._at) * self.per_second)
        self._at = now
        if self._left < 1.0:
            wait = math.ceil((1.0 - self._left) / self.per_second)
            headers = {"retry-after": str(max(1, wait)), **self.headers(0)}
            rule = f"the key may send {self.per_second:g} requests a second (keys.per_second)"
            raise Problem(429, "too-many-requests", rule, headers=headers)
        self._left -= 1.0
        return math.floor(self._left)

    def headers(self, left: int) -> Mapping[str, str]:
        """What tells a client how it stands."""
        window = math.ceil(self.quota / self.per_second)
        return {
            "ratelimit-policy": f'"key";q={self.quota};w={window}',
            "ratelimit": f'"key";r={left};t={window}',
        }
