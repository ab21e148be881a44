"""What is kept of one visitor's sessions: means of the ended ones, and the one that runs.

Under `segments.behaviour.session`, which compares the one with the others. Saved as JSON, whose
numbers are exact, so that a service that starts again goes on as if it had not stopped.
"""

from __future__ import annotations

import json
from math import log
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from segments.behaviour.adaptive_window import AdaptiveWindow
from segments.errors import ProfileError

if TYPE_CHECKING:
    from collections.abc import Mapping

Measure = Literal["gap", "pace", "depth", "price"]
"""Log seconds since the session before, log seconds between events, step towards an order (0 to 4),
log cents of products touched."""
MEASURES: Final[tuple[Measure, ...]] = get_args(Measure)

SESSIONS_PER_LOOK: Final = 4
"""Sessions between two looks for a change: most visitors do not come often."""
MAX_OWN, MAX_CROWD = 200, 4_096
"""Categories counted apart, of a visitor and of everyone; further ones stay new for ever."""
VERSION: Final = 1
_DAMAGED = "damaged habits ({!r}); they are made again from the event log"


class Touches:
    """How often each category was touched."""

    __slots__ = ("_counts", "_limit", "total")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._counts: dict[str, int] = {}
        self.total = 0

    def __getitem__(self, category: str) -> int:
        return self._counts.get(category, 0)

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, category: str) -> None:
        """Counts one touch."""
        known = self._counts.get(category, 0)
        if known or len(self._counts) < self._limit:
            self._counts[category] = known + 1
        self.total += 1

    def merge(self, other: Touches) -> None:
        """Adds what somebody else touched, who turned out to be the same."""
        for category, n in other._counts.items():
            known = self._counts.get(category, 0)
            if known or len(self._counts) < self._limit:
                self._counts[category] = known + n
        self.total += other.total

    def state(self) -> list[Any]:
        """As plain JSON values."""
        return [self.total, self._counts]

    def load(self, state: list[Any]) -> None:
        """Takes a state back."""
        self.total = int(state[0])
        self._counts = {str(category): int(n) for category, n in state[1].items()}


class Session:
    """What the running session has brought."""

    __slots__ = ("bits", "end", "n_events", "n_touches", "sums")

    def __init__(self, start: float) -> None:
        self.end = start
        self.n_events = 0
        self.sums: dict[Measure, tuple[int, float]] = dict.fromkeys(MEASURES, (0, 0.0))
        self.bits = 0.0
        self.n_touches = 0

    def add(self, measure: Measure, value: float) -> None:
        """Counts one value of a measure."""
        n, total = self.sums[measure]
        self.sums[measure] = n + 1, total + value

    def mean(self, measure: Measure) -> float | None:
        """Of a measure's values so far; None before the first."""
        n, total = self.sums[measure]
        return total / n if n else None


class Past:
    """A visitor's sessions that have ended, and the one that runs."""

    __slots__ = ("categories", "changed", "seq", "session", "windows")

    def __init__(self, start: float) -> None:
        self.windows = {measure: AdaptiveWindow(SESSIONS_PER_LOOK) for measure in MEASURES}
        self.categories = Touches(MAX_OWN)
        self.session = Session(start)
        self.changed: dict[Measure, float] = {}  # when a lasting change was last noticed
        self.seq = -1

    def start(self, seconds: float) -> None:
        """Begins the next session."""
        gap = seconds - self.session.end
        self.session = Session(seconds)
        self.session.add("gap", log(1.0 + gap))

    def dump(self) -> bytes:
        """Everything, for `load`."""
        session = self.session
        state = {
            "version": VERSION,
            "seq": self.seq,
            "windows": {measure: window.state() for measure, window in self.windows.items()},
            "categories": self.categories.state(),
            "changed": self.changed,
            "session": [session.end, session.n_events, session.bits, session.n_touches],
            "sums": session.sums,
        }
        return json.dumps(state, separators=(",", ":")).encode()

    @classmethod
    def load(cls, data: bytes) -> Past:
        """The past of bytes that `dump` made.

        Raises:
            ProfileError: if they are damaged or of another version.
        """
        try:
            state: Mapping[str, Any] = json.loads(data)
            if state["version"] != VERSION:
                raise ProfileError(_DAMAGED.format(state["version"]))
            end, n_events, bits, n_touches = state["session"]
            self = cls(float(end))
            self.seq = int(state["seq"])
            for measure in MEASURES:
                self.windows[measure] = AdaptiveWindow.from_state(state["windows"][measure])
                n, total = state["sums"][measure]
                self.session.sums[measure] = int(n), float(total)
                if measure in state["changed"]:
                    self.changed[measure] = float(state["changed"][measure])
            self.categories.load(state["categories"])
            self.session.n_events, self.session.bits = int(n_events), float(bits)
            self.session.n_touches = int(n_touches)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise ProfileError(_DAMAGED.format(error)) from error
        return self
