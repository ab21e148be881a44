"""A detector of abrupt change in how well a model predicts.

Beside the default policy, which forgets most of what it knew when it is told.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from policy.errors import StateError, shown

if TYPE_CHECKING:
    from policy.model_file import JSON


class ChangeDetector:
    """One-sided CUSUM of disappointments, in standard deviations.

        S ← max(0, S + usual - surprise - slack),   change when S > threshold

    A world that changed pays less than what was learned of it promises, whichever action was
    best. What is chosen tends to be what is overrated, so that a little disappointment is
    ``usual``: the mean surprise so far. With rewards that are never negative, a single one
    disappoints by no more than its expectation, so that rare or heavy-tailed rewards raise no
    alarm.

    Args:
        slack: Disappointment beyond the usual that counts for nothing.
        threshold: Sum that means change. Of independent normal surprises, one in about
            exp(2 slack threshold) / (2 slack²) is taken for a change.
        settled: Surprises before anything is usual.

    Example:
        >>> detector = ChangeDetector()
        >>> any(detector.is_change(0.1) for _ in range(1000))
        False
        >>> [detector.is_change(-2.0) for _ in range(40)].index(True)
        20

    References:
        Page. Continuous Inspection Schemes. Biometrika 41, 1954.
    """

    def __init__(self, *, slack: float = 0.15, threshold: float = 40.0, settled: int = 200) -> None:
        self.slack = slack
        self.threshold = threshold
        self.settled = settled
        self.reset()

    def reset(self) -> None:
        """Nothing is usual, and nothing disappointed."""
        self.n = 0
        self.total = 0.0
        self.sum = 0.0

    def is_change(self, surprise: float) -> bool:
        """Count one surprise, below 0 for a disappointment; start anew after a change."""
        bounded = min(max(surprise, -LARGEST), LARGEST)
        if self.n >= self.settled:
            self.sum = max(0.0, self.sum + self.total / self.n - bounded - self.slack)
        self.n += 1
        self.total += bounded
        if self.sum <= self.threshold:
            return False
        self.reset()
        return True

    def state(self) -> tuple[int, float, float]:
        """What ``restored`` needs."""
        return self.n, self.total, self.sum

    @classmethod
    def restored(cls, state: JSON) -> ChangeDetector:
        """A detector that goes on where another stopped.

        Raises:
            StateError: That is not what ``state`` gave.
        """
        detector = cls()
        match state:
            case [int(n), float(total), float(sum_)] if n >= 0 and 0.0 <= sum_ < math.inf:
                detector.n, detector.total, detector.sum = n, total, sum_
            case _:
                raise StateError(f"change is {shown(state)}: must be a count and two sums")
        return detector


LARGEST = 4.0
"""A single surprise counts for no more."""
