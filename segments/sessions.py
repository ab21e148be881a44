"""A visitor's latest sessions, as separate intervals that late events can still join.

A session is a run of events with gaps of at most 30 minutes. The latest eight are kept as rows
of (start, end, events, depth). **The order bound:** as long as the events seen so far form at most
eight runs, any order of arrival gives the same rows. Once rows have been dropped, an event older
than the oldest kept row counts in the totals of other features only.
"""

from __future__ import annotations

from array import array
from typing import Final

GAP_S: Final = 1_800.0
MAX_SESSIONS: Final = 8
_WIDTH: Final = 4

Row = tuple[float, float, float, float]
"""Start and end in Unix seconds, number of events, deepest step reached (0 to 4)."""


class Sessions:
    """The sessions of one visitor.

    Args:
        rows: flat array of four numbers a session (see `Row`), oldest first.
        dropped: sessions that fell out of the eight.

    Example:
        >>> sessions = Sessions()
        >>> sessions.add(600.0, 1.0)
        >>> sessions.add(0.0, 3.0)
        >>> list(sessions.rows), sessions.current(900.0)
        ([0.0, 600.0, 2.0, 3.0], (2.0, 3.0, 15.0))
    """

    __slots__ = ("dropped", "rows")

    def __init__(self, rows: array[float] | None = None, dropped: int = 0) -> None:
        self.rows = array("d") if rows is None else rows
        self.dropped = dropped

    def __len__(self) -> int:
        return self.dropped + len(self.rows) // _WIDTH

    def add(self, seconds: float, depth: float) -> None:
        """Counts one event in: when it happened (Unix time) and how deep it goes (0 to 4)."""
        rows = self.rows
        if rows and rows[-4] <= seconds <= rows[-3] + GAP_S:  # nearly always: it goes on
            rows[-3] = max(rows[-3], seconds)
            rows[-2] += 1.0
            rows[-1] = max(rows[-1], depth)
        else:
            self._join((seconds, seconds, 1.0, depth))

    def merge(self, other: Sessions) -> None:
        """Takes in the sessions of another id of the same person."""
        self.dropped += other.dropped
        rows = other.rows
        for at in range(len(rows) - _WIDTH, -1, -_WIDTH):  # newest first: none is dropped in vain
            self._join((rows[at], rows[at + 1], rows[at + 2], rows[at + 3]))

    def current(self, now_s: float) -> tuple[float, float, float]:
        """Events, depth and minutes of the session that `now_s` falls in; zeros outside one."""
        rows = self.rows
        if not rows or now_s < rows[-4] or now_s > rows[-3] + GAP_S:
            return 0.0, 0.0, 0.0
        return rows[-2], rows[-1], (now_s - rows[-4]) / 60.0

    def _join(self, row: Row) -> None:
        """Adds an interval, melted with those that it touches."""
        rows = self.rows
        start, end, events, depth = row
        if self.dropped and (not rows or end < rows[0] - GAP_S):
            return
        first = 0
        while first < len(rows) and rows[first + 1] + GAP_S < start:
            first += _WIDTH
        last = first
        while last < len(rows) and rows[last] - GAP_S <= end:
            start, end = min(start, rows[last]), max(end, rows[last + 1])
            events, depth = events + rows[last + 2], max(depth, rows[last + 3])
            last += _WIDTH
        rows[first:last] = array("d", (start, end, events, depth))
        if len(rows) > MAX_SESSIONS * _WIDTH:
            del rows[:_WIDTH]
            self.dropped += 1
