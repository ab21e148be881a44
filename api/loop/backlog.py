"""Defaults that were shown while the log could not be written: logged as soon as it can be.

Beside the log of what was shown. The answer had no decision id, so nobody can report a reward for
one of these; but the visitor saw it, so caps and lift count it: probability 1, with its reason. It
is in memory until then, bounded, and a kill loses it.
"""

from collections import deque
from collections.abc import Collection, Sequence
from typing import Protocol

import structlog

from api.storage.base import DecisionRow, StoreUnavailableError

log = structlog.get_logger()

MOST = 5_000
AT_ONCE = 100


class Shown(Protocol):
    """What the backlog needs of the log of what was shown."""

    def expect(self, row: DecisionRow) -> None:
        """Count what a row shows, before it is appended."""

    def forget(self, rows: Sequence[DecisionRow]) -> None:
        """Rows that were expected are not going to be appended."""

    async def append_list(self, rows: Sequence[DecisionRow]) -> None:
        """Append rows that were expected; where that fails, they are forgotten."""


class Backlog:
    """Rows that wait for the log.

    Args:
        shown: Where they go.
        most: Rows kept; beyond, the oldest go.

    Attributes:
        n_dropped: How many went.
    """

    def __init__(self, shown: Shown, most: int = MOST) -> None:
        self._shown = shown
        self._most = most
        self._rows: deque[DecisionRow] = deque()
        self.n_dropped = 0

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: DecisionRow) -> None:
        """Keep what was shown."""
        self._shown.expect(row)
        self._rows.append(row)
        if len(self._rows) > self._most:
            self._shown.forget([self._rows.popleft()])
            self.n_dropped += 1

    async def flush(self) -> int:
        """Log what waits, as far as the log can be written; how many rows that were."""
        n_rows = 0
        while self._rows:
            rows = [self._rows.popleft() for _ in range(min(AT_ONCE, len(self._rows)))]
            try:
                await self._shown.append_list(rows)
            except StoreUnavailableError:
                for row in reversed(rows):
                    self._shown.expect(row)
                    self._rows.appendleft(row)
                break
            n_rows += len(rows)
        if n_rows:
            log.info("defaults_logged", n_rows=n_rows, n_waiting=len(self._rows))
        return n_rows

    def erase(self, visitors: Collection[str]) -> None:
        """Drop what was shown to somebody."""
        gone = [row for row in self._rows if row.visitor in visitors]
        if gone:
            self._rows = deque(row for row in self._rows if row.visitor not in visitors)
            self._shown.forget(gone)
