"""What one visitor was shown, as far as rules ask for it, and its bytes.

A fold over the visitor's logged decisions. It rests as one immutable ``bytes`` a visitor, so that a
million of them cost their payload, and what is saved is what is in memory.

**Bounds.** Of each scope the latest showings that its limits ask for, within their horizon; of all
scopes together the latest 2,000; of prices the latest 32 things.

Layout, little-endian: fingerprint u32, seq u64, numbers of scopes and prices u32; then each scope
as its number and how many times u32, with the times u64; each price as what it is of u64, cents
i64, since and last seen u64.
"""

from __future__ import annotations

import json
import struct
from array import array
from bisect import insort
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from policy.catalog.limit import verdict_of

if TYPE_CHECKING:
    from policy.catalog.limit import Scope, Tracked, Verdict

MOST_SHOWINGS = 2_000
MOST_PRICES = 32

_HEADER = struct.Struct("<IQII")
_SCOPE = struct.Struct("<II")
_PRICE = struct.Struct("<QqQQ")


class Exposure(NamedTuple):
    """One action that was shown, with all that a rule may count it by.

    Args:
        kind: None in rows of a log that is older than this column.
        at_us: Microseconds since 1970.
    """

    placement: str
    action_id: str
    kind: str | None
    channel: str | None
    price_cents: int | None
    price_of: str | None
    at_us: int

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """Where it counts."""
        scopes: list[Scope] = [("action", self.action_id)]
        if self.kind is not None:
            scopes.append(("kind", self.kind))
        if self.channel is not None:
            scopes.append(("channel", self.channel))
        return tuple(scopes)


class PriceSeen(NamedTuple):
    """A price that the visitor saw last of something, since when, and when last."""

    price_cents: int
    since_us: int
    last_us: int


class History:
    """One visitor's exposures while they are folded or read.

    Args:
        seq: Place in the log of the last decision that it covers; -1 for none.

    Attributes:
        times_us: Ascending times by number of the scope.
        prices: What was seen last, by ``price_key``.

    Example:
        >>> from policy.catalog.limit import Limit, Tracked
        >>> tracked = Tracked({("kind", "offer"): [Limit(1, 7)]}, {})
        >>> history = History()
        >>> history.add(Exposure("home", "tea", "offer", None, None, None, at_us=5), tracked)
        >>> history.verdicts(tracked, now_us=6)
        {0: 'capped'}
    """

    __slots__ = ("prices", "seq", "times_us")

    def __init__(self, seq: int = -1) -> None:
        self.seq = seq
        self.times_us: dict[int, array[int]] = {}
        self.prices: dict[int, PriceSeen] = {}

    def __bool__(self) -> bool:
        return bool(self.times_us or self.prices)

    def add(self, exposure: Exposure, tracked: Tracked) -> None:
        """Count one exposure in, in any order but that of prices."""
        for scope in exposure.scopes:
            number = tracked.index.get(scope)
            if number is not None:
                times_us = self.times_us.setdefault(number, array("Q"))
                insort(times_us, exposure.at_us)
                del times_us[: -tracked.kept[number]]
                _forget(times_us, times_us[-1] - tracked.horizon_us[number])
        if _is_price(exposure, tracked):
            self._see(exposure, tracked.periods_us[exposure.placement])

    def absorb(self, other: History) -> None:
        """Take in the exposures of another id of the same person, to be read, not to be kept."""
        for number, times_us in other.times_us.items():
            mine = self.times_us.get(number, array("Q"))
            self.times_us[number] = array("Q", sorted(mine + times_us))
        for key, price in other.prices.items():
            seen = self.prices.get(key)
            if seen is None or price.last_us > seen.last_us:
                self.prices[key] = price

    def verdicts(self, tracked: Tracked, now_us: int) -> dict[int, Verdict]:
        """The scopes of which nothing may be shown now, by number, with the reason."""
        verdicts: dict[int, Verdict] = {}
        for number, times_us in self.times_us.items():
            for terms in tracked.terms[number]:
                verdict = verdict_of(terms, times_us, now_us)
                if verdict is not None:
                    verdicts[number] = verdict
                    break
        return verdicts

    def _see(self, exposure: Exposure, period_us: int) -> None:
        """A price counts from its first showing until its period is over, then anew."""
        assert exposure.price_cents is not None  # noqa: S101  # as `_is_price` says
        key = price_key(exposure.placement, exposure.price_of)
        at_us, seen = exposure.at_us, self.prices.pop(key, None)
        goes_on = (
            seen is not None
            and seen.price_cents == exposure.price_cents
            and at_us < seen.since_us + period_us
        )
        since_us = seen.since_us if goes_on and seen is not None else at_us
        self.prices[key] = PriceSeen(exposure.price_cents, since_us, at_us)  # last: seen latest
        if len(self.prices) > MOST_PRICES:
            del self.prices[next(iter(self.prices))]


def concerns(exposure: Exposure, tracked: Tracked) -> bool:
    """Whether any rule will ask for an exposure."""
    return _is_price(exposure, tracked) or any(scope in tracked.index for scope in exposure.scopes)


@lru_cache(maxsize=65_536)
def price_key(placement: str, price_of: str | None) -> int:
    """64 bits for one thing's price at one placement, the same on every machine."""
    text = json.dumps([placement, price_of])
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def encode(history: History, fingerprint: int) -> bytes:
    """The history as bytes; the same state always gives the same bytes."""
    times_us = _latest(history.times_us)
    parts = [_HEADER.pack(fingerprint, history.seq + 1, len(times_us), len(history.prices))]
    for number in sorted(times_us):
        parts += (_SCOPE.pack(number, len(times_us[number])), times_us[number].tobytes())
    parts += [_PRICE.pack(key, *price) for key, price in history.prices.items()]
    return b"".join(parts)


def decode(data: bytes) -> History:
    """The history of bytes that ``encode`` made or ``fits`` passed."""
    _, seq, n_scopes, _ = _HEADER.unpack_from(data)
    history = History(seq - 1)
    at = _HEADER.size
    for _ in range(n_scopes):
        number, n_times = _SCOPE.unpack_from(data, at)
        start = at + _SCOPE.size
        at = start + 8 * n_times
        history.times_us[number] = array("Q", data[start:at])
    for key, *price in _PRICE.iter_unpack(data[at:]):
        history.prices[key] = PriceSeen(*price)
    return history


def covered_seq(data: bytes) -> int:
    """The place in the log that encoded bytes cover, without unpacking the rest."""
    return int(_HEADER.unpack_from(data)[1]) - 1


def fits(data: bytes, fingerprint: int) -> bool:
    """Whether ``decode`` reads bytes rightly: they are whole, and made for these rules."""
    if len(data) < _HEADER.size:
        return False
    mark, _, n_scopes, n_prices = _HEADER.unpack_from(data)
    at = _HEADER.size
    for _ in range(n_scopes):
        if len(data) < at + _SCOPE.size:
            return False
        at += _SCOPE.size + 8 * _SCOPE.unpack_from(data, at)[1]
    return bool(mark == fingerprint and len(data) == at + n_prices * _PRICE.size)


def _latest(times_us: dict[int, array[int]]) -> dict[int, array[int]]:
    """The latest showings of all scopes, as many as are kept."""
    n_times = sum(map(len, times_us.values()))
    if n_times <= MOST_SHOWINGS:
        return times_us
    everything = sorted((time_us, number) for number, all_ in times_us.items() for time_us in all_)
    kept: dict[int, array[int]] = {}
    for time_us, number in everything[-MOST_SHOWINGS:]:
        kept.setdefault(number, array("Q")).append(time_us)
    return kept


def _is_price(exposure: Exposure, tracked: Tracked) -> bool:
    return (
        exposure.kind == "price"
        and exposure.price_cents is not None
        and exposure.placement in tracked.periods_us
    )


def _forget(times_us: array[int], before_us: int) -> None:
    while times_us and times_us[0] <= before_us:
        del times_us[0]
