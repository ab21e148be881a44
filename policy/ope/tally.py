"""Sufficient statistics of the mean of a few columns: mergeable, of constant size.

Between the estimators, which make the columns, and the intervals, which need nothing else. Rows are
gathered into buckets: by their cluster where there is one, so that a visitor's rows stay together,
by their number otherwise. Bucket sums give cluster-robust variances, skewness and every bootstrap
without a second look at the rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from policy.errors import EvaluationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from policy.ope.log import Array, Decisions, Ints

N_BUCKETS = 1024
_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """Counts and sums of columns over the buckets of a log.

    Args:
        counts: Rows in each bucket, (n_buckets,).
        sums: Of each column in each bucket, (n_buckets, n_columns).
        squares: Sums of the products of two columns over all rows, (n_columns, n_columns).
        smallest: Of each column, (n_columns,).
        largest: Of each column, (n_columns,).

    Example:
        >>> tally = Tally.of(np.array([[1.0], [3.0]]), np.array([0, 1]), 4)
        >>> tally.n_rows, tally.means
        (2, array([2.]))
    """

    counts: Array
    sums: Array
    squares: Array
    smallest: Array
    largest: Array

    @staticmethod
    def of(columns: Array, bucket: Ints, n_buckets: int = N_BUCKETS) -> Tally:
        """The tally of some rows.

        Args:
            columns: (n, n_columns).
            bucket: From ``buckets``, (n,).
            n_buckets: How many there are.
        """
        n_columns = columns.shape[1]
        sums = np.empty((n_buckets, n_columns))
        for column in range(n_columns):
            sums[:, column] = np.bincount(bucket, columns[:, column], n_buckets)
        return Tally(
            np.bincount(bucket, minlength=n_buckets).astype(np.float64),
            sums,
            columns.T @ columns,
            columns.min(axis=0, initial=np.inf),
            columns.max(axis=0, initial=-np.inf),
        )

    def merged(self, other: Tally) -> Tally:
        """The tally of both parts of a log."""
        if self.sums.shape != other.sums.shape:
            raise EvaluationError(
                f"tallies of shapes {self.sums.shape} and {other.sums.shape} cannot be merged: "
                "must be of one estimator and one number of buckets"
            )
        return Tally(
            self.counts + other.counts,
            self.sums + other.sums,
            self.squares + other.squares,
            np.minimum(self.smallest, other.smallest),
            np.maximum(self.largest, other.largest),
        )

    def only(self, columns: Sequence[int] | Ints) -> Tally:
        """The tally of some of the columns, in another order if so wanted.

        Example:
            >>> tally = Tally.of(np.array([[1.0, 2.0, 3.0]]), np.array([0]), 1)
            >>> tally.only([2, 0]).means
            array([3., 1.])
        """
        places = np.asarray(columns, np.int64)
        return Tally(
            self.counts,
            self.sums[:, places],
            self.squares[np.ix_(places, places)],
            self.smallest[places],
            self.largest[places],
        )

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return int(self.counts.sum())

    @property
    def means(self) -> Array:
        """Mean of each column, (n_columns,); NaN without rows."""
        n_rows = self.counts.sum()
        if not n_rows:
            return np.full(self.sums.shape[1], np.nan)
        means: Array = self.sums.sum(axis=0) / n_rows
        return means

    @property
    def row_covariance(self) -> Array:
        """Covariance of the columns over single rows, (n_columns, n_columns)."""
        n_rows = max(self.n_rows, 2)
        means = self.means
        covariance: Array = (self.squares - n_rows * np.outer(means, means)) / (n_rows - 1)
        return covariance

    def influences(self, gradient: Array) -> Array:
        """What each bucket that has rows moves an estimate by, (n_filled,), with mean 0.

        The estimate's standard error is that of the mean of these.

        Args:
            gradient: Of the estimate by the means, (n_columns,); of several, (n_columns, n), which
                gives (n_filled, n).
        """
        filled = self.counts > 0
        counts, sums = self.counts[filled], self.sums[filled]
        scale = len(counts) / max(self.counts.sum(), 1.0)
        moved: Array = scale * ((sums - counts[:, None] * self.means) @ gradient)
        return moved

    def standard_error(self, gradient: Array) -> float:
        """Standard error of a smooth function of the means, by the delta method.

        Args:
            gradient: Of the function at the means, (n_columns,).

        Returns:
            NaN for fewer than two buckets with rows.
        """
        moved = self.influences(gradient)
        if len(moved) < 2:
            return float("nan")
        return float(moved.std(ddof=1) / np.sqrt(len(moved)))


def merge(tallies: Iterable[Tally]) -> Tally:
    """All tallies as one, from the first to the last: the same order gives the same bits.

    Example:
        >>> one = Tally.of(np.ones((1, 1)), np.array([0]), 2)
        >>> merge([one, one, one]).n_rows
        3
    """
    return reduce(Tally.merged, tallies)


def buckets(log: Decisions, n_buckets: int = N_BUCKETS) -> Ints:
    """The bucket of each row, (n,): a hash of its cluster, or its number in the log in turn.

    Example:
        >>> from policy.ope.log import Decisions
        >>> rows = np.array([0, 0, 0])
        >>> log = Decisions(("a",), rows, np.ones(3), np.ones(3), first_row=3)
        >>> buckets(log, 4)
        array([3, 0, 1])
    """
    if log.cluster is None:
        rows: Ints = (log.first_row + np.arange(log.n_rows)) % n_buckets
        return rows
    return spread(log.cluster, n_buckets)


def spread(numbers: Ints, n_parts: int) -> Ints:
    """Numbers scattered evenly over parts, equal ones to the same part, (n,).

    Example:
        >>> parts = spread(np.arange(1000), 4)
        >>> np.bincount(parts)
        array([262, 235, 262, 241])
    """
    mixed = numbers.astype(np.uint64) * _MIX
    mixed ^= mixed >> np.uint64(32)
    mixed *= _MIX
    return ((mixed >> np.uint64(33)) % np.uint64(n_parts)).astype(np.int64)
