"""How often something may be shown to one visitor, and what has to be remembered for it.

Where the configuration's caps and cooldowns enter; ``history`` keeps what they need of a visitor,
``eligibility`` asks them.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from policy.bounds import parameter, whole_parameter
from policy.errors import CatalogError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MINUTE_US = 60_000_000
DAY_US = 24 * 60 * MINUTE_US
MOST_TIMES = 1_000
LONGEST_DAYS = 3_650.0

Scope = tuple[Literal["action", "kind", "channel"], str]
"""What is counted together, over all placements: ``("channel", "email")`` is every e-mail."""

Verdict = Literal["capped", "cooling_down"]

Terms = tuple[int, int, int]
"""Times (0 for as often as one likes), window and cooldown in microseconds (0 for none)."""


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many times in so many days, with at least so many minutes in between.

    Args:
        times: How often within ``days``, 1 to 1,000; None for as often as one likes.
        days: Length of the window that ends now, above 0.
        cooldown_minutes: Least time between one showing and the next, above 0; None for none.

    Raises:
        CatalogError: A number is out of its range, or the limit limits nothing.

    Example:
        >>> limit = Limit(times=2, days=7)
        >>> limit.verdict([1 * DAY_US, 2 * DAY_US], now_us=3 * DAY_US)
        'capped'
        >>> limit.verdict([1 * DAY_US, 2 * DAY_US], now_us=8 * DAY_US) is None
        True
    """

    times: int | None = None
    days: float | None = None
    cooldown_minutes: float | None = None

    def __post_init__(self) -> None:
        if (self.times is None) != (self.days is None):
            raise CatalogError(
                f"cap is {self.times} times in {self.days} days: needs both numbers, or neither"
            )
        if self.times is None and self.cooldown_minutes is None:
            raise CatalogError("a limit needs times and days, or cooldown_minutes, or all three")
        if self.times is not None and self.days is not None:
            whole_parameter("times", self.times, 1, MOST_TIMES)
            parameter("days", self.days, 1 / (24 * 60), LONGEST_DAYS)
        if self.cooldown_minutes is not None:
            parameter("cooldown_minutes", self.cooldown_minutes, 1 / 60, LONGEST_DAYS * 24 * 60)

    @property
    def kept(self) -> int:
        """How many of the latest showings have to be remembered."""
        return self.times or 1

    @property
    def window_us(self) -> int:
        """Length of the cap's window, in microseconds."""
        return round((self.days or 0.0) * DAY_US)

    @property
    def cooldown_us(self) -> int:
        """Length of the cooldown, in microseconds."""
        return round((self.cooldown_minutes or 0.0) * MINUTE_US)

    def verdict(self, times_us: Sequence[int], now_us: int) -> Verdict | None:
        """Why nothing may be shown now, or None where it may.

        Args:
            times_us: When it was shown, ascending; at least the latest ``kept`` ones.
            now_us: Microseconds since 1970, as all times.
        """
        return verdict_of(self.terms, times_us, now_us)

    @property
    def terms(self) -> Terms:
        """What ``verdict_of`` looks at."""
        return self.times or 0, self.window_us, self.cooldown_us


def verdict_of(terms: Terms, times_us: Sequence[int], now_us: int) -> Verdict | None:
    """See ``Limit.verdict``."""
    times, window_us, cooldown_us = terms
    if times and len(times_us) >= times and times_us[-times] > now_us - window_us:
        return "capped"
    if cooldown_us and times_us and times_us[-1] > now_us - cooldown_us:
        return "cooling_down"
    return None


class Tracked:
    """What must be remembered of each visitor so that all limits and price guards can be asked.

    Args:
        limits: Limits of each scope; all of them hold.
        periods_us: Placements whose prices are compared with the price seen last, and for how long
            a visitor keeps a price there (0 for no time).

    Attributes:
        index: A number for each scope.
        terms: Of its limits, by that number.
        kept: Showings to remember, by that number.
        horizon_us: For how long, by that number.
        fingerprint: 32 bits that change when anything of this does.

    Example:
        >>> tracked = Tracked({("action", "tea"): [Limit(3, 7)]}, {})
        >>> tracked.index, tracked.kept
        ({('action', 'tea'): 0}, (3,))
    """

    def __init__(
        self, limits: Mapping[Scope, Sequence[Limit]], periods_us: Mapping[str, int]
    ) -> None:
        scopes = sorted(scope for scope in limits if limits[scope])
        self.index: dict[Scope, int] = {scope: i for i, scope in enumerate(scopes)}
        in_order = [limits[scope] for scope in scopes]
        self.terms = tuple(tuple(limit.terms for limit in each) for each in in_order)
        self.kept = tuple(max(limit.kept for limit in each) for each in in_order)
        self.horizon_us = tuple(
            max(max(limit.window_us, limit.cooldown_us) for limit in each) for each in in_order
        )
        self.periods_us = dict(sorted(periods_us.items()))
        described = repr((scopes, self.kept, self.horizon_us, self.periods_us))
        self.fingerprint = zlib.crc32(described.encode())

    def __bool__(self) -> bool:
        return bool(self.index or self.periods_us)
