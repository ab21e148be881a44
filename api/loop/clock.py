"""Time, as the loop sees it: microseconds since 1970 in UTC, never backwards."""

import time
from abc import ABC, abstractmethod
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def to_us(moment: datetime) -> int:
    """Microseconds since 1970 of an aware datetime."""
    return (moment - EPOCH) // MICROSECOND


def from_us(us: int) -> datetime:
    """The aware UTC datetime of microseconds since 1970."""
    return EPOCH + timedelta(microseconds=us)


class Clock(ABC):
    """A clock that never runs backwards."""

    trusts_requests: bool

    @abstractmethod
    def now_us(self) -> int:
        """The time, in microseconds since 1970."""

    @abstractmethod
    def advance(self, us: int) -> None:
        """Hear of a time that a request named."""

    def wall_us(self) -> int:
        """What the machine says, also when it was set back; never use it for order."""
        return self.now_us()

    def now(self) -> datetime:
        """The time as an aware datetime."""
        return from_us(self.now_us())


class SystemClock(Clock):
    """The machine's clock; after a step backwards it goes at half speed until it is right again."""

    trusts_requests = False

    def __init__(self) -> None:
        self._last_us = 0
        self._ticks_us = 0

    def now_us(self) -> int:
        """See `Clock`."""
        wall_us, ticks_us = self.wall_us(), time.monotonic_ns() // 1000
        if wall_us >= self._last_us:
            self._last_us, self._ticks_us = wall_us, ticks_us
        elif ticks_us >= self._ticks_us + 2:
            self._last_us += (ticks_us - self._ticks_us) // 2
            self._ticks_us = ticks_us
        return self._last_us

    def wall_us(self) -> int:
        """See `Clock`."""
        return time.time_ns() // 1000

    def advance(self, us: int) -> None:
        """The machine knows better than a request."""


class ReplayClock(Clock):
    """The latest time that a request named: runs a recorded year through the service."""

    trusts_requests = True

    def __init__(self) -> None:
        self._last_us = 0

    def now_us(self) -> int:
        """See `Clock`."""
        return self._last_us

    def advance(self, us: int) -> None:
        """See `Clock`."""
        self._last_us = max(self._last_us, us)


def make_clock(kind: str) -> Clock:
    """`system` or `replay`, as `service.clock` says."""
    return ReplayClock() if kind == "replay" else SystemClock()
