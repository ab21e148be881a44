"""Parts of a log: some rows of a chunk, or a stretch of all chunks.

For whoever teaches on one part of a log and judges on another.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from policy.errors import EvaluationError
from policy.ope.log import Decisions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    Chunks = Callable[[], Iterable[Decisions]]


def rows_of(log: Decisions, start: int, stop: int) -> Decisions:
    """Some rows of a chunk, from one position up to and without another.

    Example:
        >>> log = Decisions(("a",), np.zeros(4, int), np.arange(4.0), np.ones(4))
        >>> part = rows_of(log, 1, 3)
        >>> part.reward, part.first_row
        (array([1., 2.]), 1)
    """
    cut: dict[str, Any] = {}
    for one in fields(log):
        value = getattr(log, one.name)
        if one.name in ("labels", "targets"):
            cut[one.name] = {name: column[start:stop] for name, column in value.items()}
        elif isinstance(value, np.ndarray):
            cut[one.name] = value[start:stop]
        else:
            cut[one.name] = value
    return Decisions(**{**cut, "first_row": log.first_row + start})


def between(chunks: Chunks, start: int, stop: int) -> Iterator[Decisions]:
    """The rows of a log from one number up to and without another, as a log of its own.

    Example:
        >>> rows = np.zeros(2, int)
        >>> chunks = [Decisions(("a",), rows, np.arange(2.0) + i, np.ones(2), first_row=i)
        ...           for i in (0, 2)]
        >>> [(log.reward.tolist(), log.first_row) for log in between(lambda: chunks, 1, 3)]
        [([1.0], 0), ([2.0], 1)]
    """
    for log in chunks():
        if log.first_row >= stop:
            return
        first, last = max(start - log.first_row, 0), min(stop - log.first_row, log.n_rows)
        if first < last:
            part = log if last - first == log.n_rows else rows_of(log, first, last)
            yield replace(part, first_row=part.first_row - start) if start else part


class Stretch(Protocol):
    """Rows of a log that follow each other, read where they are worked on."""

    @property
    def first_row(self) -> int:
        """Number of the first one within the log."""

    @property
    def n_rows(self) -> int:
        """How many there are."""

    def chunks(self) -> Iterator[Decisions]:
        """They, in order."""


@dataclass(frozen=True, slots=True)
class RowsFrom:
    """A stretch without the rows before one, numbered as if the log began there.

    Args:
        stretch: Of the log.
        start: Number of a row within the log.
    """

    stretch: Stretch
    start: int

    def chunks(self) -> Iterator[Decisions]:
        """The rows, in order."""
        end = self.stretch.first_row + self.stretch.n_rows
        return between(self.stretch.chunks, self.start, end)


def rows_from(stretches: Sequence[Stretch], start: int) -> tuple[RowsFrom, ...]:
    """The same for a whole log; stretches that end before that row are left out."""
    return tuple(RowsFrom(one, start) for one in stretches if one.first_row + one.n_rows > start)


def count_rows(chunks: Chunks) -> int:
    """Number of rows, by one pass over the log."""
    return sum(log.n_rows for log in chunks())


def joined(chunks: Iterable[Decisions]) -> Decisions:
    """A whole log as one chunk, in memory.

    Raises:
        EvaluationError: There is no chunk.

    Example:
        >>> rows = np.zeros(2, int)
        >>> parts = [Decisions(("a",), rows, np.arange(2.0) + i, np.ones(2), first_row=i)
        ...          for i in (0, 2)]
        >>> joined(parts).reward
        array([0., 1., 2., 3.])
    """
    parts = list(chunks)
    if not parts:
        raise EvaluationError("the log has no rows")
    whole: dict[str, Any] = {"actions": parts[0].actions, "first_row": parts[0].first_row}
    for one in fields(parts[0]):
        value = getattr(parts[0], one.name)
        if one.name in ("labels", "targets"):
            whole[one.name] = {
                name: np.concatenate([getattr(part, one.name)[name] for part in parts])
                for name in value
            }
        elif isinstance(value, np.ndarray):
            whole[one.name] = np.concatenate([getattr(part, one.name) for part in parts])
    return Decisions(**whole)
