"""Notices when the mean of a stream changes, whatever it was before: an adaptive window.

For a visitor's pace, basket or depth, and for any metric of a shop. The window is all that came
since the last change, in buckets of exponentially growing size; it is cut where the means of its
two parts differ by more than chance explains, and what is older than the cut is forgotten.

The bound is that of ADWIN for large windows (a normal deviation and a Bernstein term that guards
short parts against long tails), checked every 12 values instead of at each, which is what keeps an
update under a microsecond. `CONFIDENCE` is set so that streams without a change raise less than
one alarm in 10,000 values; `benchmarks.segments` measures that on light and heavy tails.

References:
    A. Bifet, R. Gavaldà, "Learning from Time-Changing Data with Adaptive Windowing", SDM 2007.
"""

from __future__ import annotations

from math import inf, isfinite, isinf, sqrt
from typing import TYPE_CHECKING, Any, Final

from segments.errors import SegmentsError, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

BATCH: Final = 12
"""Values between two looks, unless said otherwise."""
MAX_BUCKETS: Final = 3
"""Buckets of one size; at one more, the oldest two become one of twice the size."""
CONFIDENCE: Final = 4.2
"""Standard errors that two parts have to differ by."""
TAIL: Final = 3.0
"""Weight of the Bernstein term, in standard deviations of the window."""
CLIP: Final = 4.0
"""Standard deviations from the mean of the window at which a value counts no further."""

Bucket = tuple[float, float, float]
"""Number of values, their sum, and the sum of their squares."""


class AdaptiveWindow:
    """The mean of a stream since it last changed.

    Args:
        batch: values between two looks, at least 1: fewer notice sooner and cost more.

    Attributes:
        n_changes: changes noticed so far.

    Raises:
        SegmentsError: if `batch` is less than 1.

    Example:
        >>> window = AdaptiveWindow()
        >>> rng = np.random.default_rng(0)
        >>> [window.update(x) for x in rng.normal(5.0, 1.0, 200)].count(True)
        0
        >>> any(window.update(x) for x in rng.normal(7.0, 1.0, 60))
        True
        >>> bool(window.mean > 6.5)
        True
    """

    __slots__ = (
        "_batch",
        "_buckets",
        "_high",
        "_low",
        "_n",
        "_origin",
        "_squares",
        "_sum",
        "n_changes",
    )

    def __init__(self, batch: int = BATCH) -> None:
        if batch < 1:
            raise SegmentsError(f"batch must be at least 1, got {batch}")
        self._batch = batch
        self._buckets: list[Bucket] = []  # the oldest first
        self._origin = 0.0
        self._n = 0
        self._sum = 0.0
        self._squares = 0.0
        self._low, self._high = -inf, inf  # of what still counts, less the origin
        self.n_changes = 0

    def __len__(self) -> int:
        return int(sum(bucket[0] for bucket in self._buckets)) + self._n

    @property
    def mean(self) -> float:
        """Of the window; 0 before the first value."""
        n = len(self)
        if not n:
            return 0.0
        return self._origin + (sum(bucket[1] for bucket in self._buckets) + self._sum) / n

    @property
    def deviation(self) -> float:
        """Standard deviation of the window; 0 before the second value."""
        n = len(self)
        if n < 2:
            return 0.0
        total = sum(bucket[1] for bucket in self._buckets) + self._sum
        squares = sum(bucket[2] for bucket in self._buckets) + self._squares
        return sqrt(max(squares / n - (total / n) ** 2, 0.0))

    def update(self, value: float) -> bool:
        """Takes one value in.

        Args:
            value: finite; of any scale, but on one where its mean says something: logarithms of
                money and times rather than these themselves.

        Returns:
            Whether the mean has changed; what came before the change is then forgotten.

        Raises:
            SegmentsError: if the value is NaN or infinite, at the next look at the latest.
        """
        if not self._n and not self._buckets:
            self._origin = value  # sums of squares far from 0 would lose their digits
        centred = value - self._origin
        if not self._low <= centred <= self._high and isfinite(centred):
            centred = self._low if centred < self._low else self._high
        self._sum += centred
        self._squares += centred * centred
        self._n += 1
        return self._n == self._batch and self._look()

    def state(self) -> list[Any]:
        """Everything, as plain JSON values whose numbers are exact."""
        own = [self._batch, self.n_changes, self._origin, self._n, self._sum, self._squares]
        bounds = [None if isinf(bound) else bound for bound in (self._low, self._high)]
        return [*own, *bounds, [list(bucket) for bucket in self._buckets]]

    @classmethod
    def from_state(cls, state: Sequence[Any]) -> AdaptiveWindow:
        """The window of a state.

        Raises:
            ValueError, TypeError: It is none.
        """
        batch, n_changes, origin, n, total, squares, low, high, buckets = state
        self = cls(int(batch))
        self.n_changes, self._origin, self._n = int(n_changes), float(origin), int(n)
        self._sum, self._squares = float(total), float(squares)
        self._low = -inf if low is None else float(low)
        self._high = inf if high is None else float(high)
        self._buckets = [(float(a), float(b), float(c)) for a, b, c in buckets]
        return self

    def extend(self, values: Iterable[float]) -> bool:
        """Takes several values in; whether there was any change among them."""
        changes = [self.update(value) for value in values]
        return any(changes)

    def _look(self) -> bool:
        if not isfinite(self._squares):
            mean = shown(self._sum / self._n)
            self._n, self._sum, self._squares = 0, 0.0, 0.0
            raise SegmentsError(
                f"values must be finite: the mean of the last {self._batch} is {mean}"
            )
        self._buckets.append((float(self._n), self._sum, self._squares))
        self._n, self._sum, self._squares = 0, 0.0, 0.0
        self._merge()
        changed = False
        while (cut := self._cut()) > 0:
            del self._buckets[:cut]
            changed = True
        self.n_changes += changed
        return changed

    def _merge(self) -> None:
        """Keeps at most so many buckets of each size, so that there are few at any length."""
        buckets, end = self._buckets, len(self._buckets)
        while end:
            size, start = buckets[end - 1][0], end - 1
            while start and buckets[start - 1][0] == size:
                start -= 1
            if end - start <= MAX_BUCKETS:
                return
            (n, total, squares), (m, other, others) = buckets[start : start + 2]
            buckets[start : start + 2] = [(n + m, total + other, squares + others)]
            end = start + 1

    def _cut(self) -> int:
        """How many of the oldest buckets differ most from the rest; 0 where none do enough."""
        buckets = self._buckets
        if len(buckets) < 2:
            return 0
        n = total = squares = 0.0
        for size, part, part_squares in buckets:
            n += size
            total += part
            squares += part_squares
        middle = total / n
        deviation = sqrt(max(squares / n - middle**2, 0.0))
        if deviation > 0.0:
            self._low, self._high = middle - CLIP * deviation, middle + CLIP * deviation
        left = left_sum = worst = 0.0
        cut = 0
        for at, (size, part, _) in enumerate(buckets[:-1], 1):
            left += size
            left_sum += part
            right = n - left
            apart = abs(left_sum / left - (total - left_sum) / right)
            chance = 1.0 / left + 1.0 / right
            bound = deviation * (CONFIDENCE * sqrt(chance) + TAIL * chance)
            if apart - bound > worst:
                worst, cut = apart - bound, at
        return cut
