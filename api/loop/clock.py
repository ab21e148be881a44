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

    def now(self) -> datetime:
        """The time as an aware datetime."""
        return from_us(self.now_us())


class SystemClock(Clock):
    """The machine's clock; a step backwards holds it until the machine has caught up."""

    trusts_requests = False

    def __init__(self) -> None:
        self._last_us = 0

    def now_us(self) -> int:
        """See `Clock`."""
        self._last_us = max(self._last_us, time.time_ns() // 1000)
        return self._last_us

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
