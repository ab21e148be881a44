"""The work of an evaluation on one log, with a bar that says how far it is."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from api.cli.evaluate.policies import Wanted, prepared
from api.cli.evaluate.report import Section
from api.cli.evaluate.saved import known_already
from api.cli.evaluate.source import Chunks, Source
from api.shards.base import MapShards, told
from policy.errors import EvaluationError
from policy.ope.evaluate import Question, evaluate
from policy.ope.log import Decisions
from policy.ope.overlap import overlaps
from policy.ope.prices.log import PricedDecisions
from policy.ope.progressive import Point, learning_curves
from policy.ope.search import Found, search
from policy.ope.slices import between, rows_from
from policy.ope.targets import Uniform

OR_ITS_KIND = (
    "its kind instead, which learns from the first half only, or the model on later decisions"
)
L = TypeVar("L", Decisions, PricedDecisions)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of every log.

    Args:
        policies: To be judged.
        by: Labels to tell apart.
        baseline: Name of the policy that others are compared with.
        rewards: Smallest and largest reward, for intervals that hold at any time.
        curves: Whether learners are to be replayed.
        candidates: Among which to search.
        overlaps: Whether anybody will look at weights.
    """

    policies: tuple[Wanted, ...]
    by: tuple[str, ...] = ()
    baseline: str | None = None
    rewards: tuple[float, float] | None = None
    curves: bool = False
    candidates: tuple[Wanted, ...] = ()
    overlaps: bool = False


class Progressing:
    """A bar of the rows that were read, pass by pass.

    Attributes:
        lengths: Rows of each pass that came to its end.
    """

    def __init__(self, console: Console) -> None:
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
        self.lengths: dict[str, int] = {}
        self._bar = Progress(*columns, TimeRemainingColumn(), console=console, transient=True)

    def __enter__(self) -> "Progressing":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._bar.stop()

    def watched(self, chunks: Callable[[], Iterable[L]], what: str) -> Callable[[], Iterable[L]]:
        """The same chunks; each pass over them is a bar, of known length from the second on."""

        def read() -> Iterator[L]:
            task, n_rows = self._bar.add_task(what, total=self.lengths.get(what)), 0
            try:
                for log in chunks():
                    yield log
                    n_rows += log.n_rows
                    self._bar.advance(task, log.n_rows)
                self.lengths[what] = n_rows
            finally:
                self._bar.remove_task(task)

        return read

    def mapped(self, map_shards: MapShards, what: str, n_shards: int) -> MapShards:
        """The same backend; each pass over the shards is a bar."""

        def over(work: Callable[[Any], Any], shards: Iterable[Any], /) -> Iterator[Any]:
            task = self._bar.add_task(what, total=n_shards)
            try:
                advance = told(map_shards, lambda done: self._bar.update(task, completed=done))
                yield from advance(work, shards)
            finally:
                self._bar.remove_task(task)

        return over


def section_of(
    source: Source, asked: Asked, progress: Progressing, map_shards: MapShards
) -> Section:
    """Everything that is asked, on one log.

    Args:
        source: The log; where it comes in shards, these are what policies are judged on.
        asked: What.
        progress: Where to say how far it is.
        map_shards: Works on the shards.

    Raises:
        EvaluationError: A policy that the log cannot be asked about.
        LogError: Rows that cannot be used.
    """
    policies = [one.on(source) for one in asked.policies]

    def watched(chunks: Chunks, what: str) -> Chunks:
        return progress.watched(chunks, f"{source.name}: {what}")

    reading = watched(source.chunks, "reading")
    start, targets = prepared(reading, policies)
    targets = targets or {"uniform": Uniform()}  # of a search alone
    question = Question(targets, by=asked.by, rewards=asked.rewards, baseline=asked.baseline)
    learners = [one for one in policies if one.kind and asked.curves]
    if source.shards:
        over = progress.mapped(map_shards, f"{source.name}: row groups", len(source.shards))
        found = evaluate(lambda: rows_from(source.shards, start), question, over)
    else:
        found = evaluate(lambda: between(reading, start, sys.maxsize), question)
    warnings = [
        warning
        for one in policies
        if one.model is not None
        and (warning := known_already(one.name, one.model, source.name, OR_ITS_KIND)) is not None
    ]
    searched, cannot = _searched(watched(source.chunks, "searching"), asked.candidates)
    return Section(
        source.name,
        found,
        asked.baseline,
        overlaps(between(reading, start, sys.maxsize), targets) if asked.overlaps else None,
        _curves(watched(source.chunks, "learning"), learners) if learners else None,
        searched,
        [*warnings, *cannot],
    )


def _searched(chunks: Chunks, candidates: Sequence[Wanted]) -> tuple[Found | None, list[str]]:
    """What a search found, or why it cannot: the rest of an evaluation stands without it."""
    if not candidates:
        return None, []
    try:
        return search(chunks, {one.name: one.learner for one in candidates}), []
    except EvaluationError as error:
        return None, [f"search: {error}"]


def _curves(chunks: Chunks, learners: Iterable[Wanted]) -> dict[str, tuple[Point, ...]]:
    first = next(iter(chunks()))
    return learning_curves(chunks, {one.name: one.learner(first) for one in learners})
