"""Learning curves: a learner replayed over the log, judged on each row before it learns it.

Beside ``policy.ope.evaluate``, which judges policies that stand still. Every row serves twice, and
none is judged by what was learned from it (progressive validation); since the log was written by
another policy, each is weighted as everywhere else, doubly robust.

References:
    Blum, Kalai, Langford. Beating the Hold-Out: Bounds for K-fold and Progressive Cross-Validation.
    COLT 1999.
    Dudík, Erhan, Langford, Li. Sample-efficient Nonstationary Policy Evaluation for Contextual
    Bandits. UAI 2012.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from policy.base import Batch
from policy.errors import EvaluationError
from policy.ope.estimators.doubly_robust import DoublyRobust
from policy.ope.intervals.base import Interval, checked_level
from policy.ope.intervals.skewed import skewed
from policy.ope.reward_model import NormalEquations, RewardModel
from policy.ope.sample import sample_of
from policy.ope.slices import count_rows, rows_of
from policy.ope.tally import Tally, buckets
from policy.ope.targets import Learned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from policy.base import Policy
    from policy.ope.log import Decisions
    from policy.ope.slices import Chunks

N_POINTS = 20
LARGEST_BLOCK = 256
"""Rows that are judged by one state of the learner."""
LOGGED = "logged"
ESTIMATOR = DoublyRobust()


@dataclass(frozen=True, slots=True)
class Point:
    """A stretch of a learning curve.

    Args:
        n_rows: Rows of the log up to its end.
        value: What the learner would have earned a decision of the stretch.
        interval: Of that.
        so_far: What it would have earned a decision, from the first row up to the end.
    """

    n_rows: int
    value: float
    interval: Interval
    so_far: float


def learning_curves(
    chunks: Chunks,
    learners: Mapping[str, Policy],
    *,
    n_points: int = N_POINTS,
    level: float = 0.95,
    on_rows: Callable[[int], None] = lambda n: None,
) -> dict[str, tuple[Point, ...]]:
    """What learners would have earned while they learned, and what was earned meanwhile.

    Args:
        chunks: Gives the log's chunks, in order, as often as it is called.
        learners: Fresh policies by name; they learn the whole log.
        n_points: How many stretches of equal length; fewer where there are fewer rows.
        level: Of the intervals, in (0, 1).
        on_rows: Told how many rows were worked on, for a progress bar.

    Returns:
        A curve for each learner, and under ``logged`` what the log itself earned.

    Raises:
        EvaluationError: A learner called ``logged``, or of other features than the log's.
        LogError: Rows that cannot be used, or none.

    Example:
        >>> from policy.bandits.build import make_policy
        >>> from policy.ope.log import Decisions
        >>> rows = np.arange(2000)
        >>> log = Decisions(("a", "b"), rows % 2, (rows % 2) * 1.0, np.full(2000, 0.5),
        ...                 np.ones((2000, 1)))
        >>> learners = {"ucb": make_policy("linucb", 1, 0)}
        >>> curves = learning_curves(lambda: [log], learners, n_points=4)
        >>> round(curves["ucb"][-1].value, 1), curves["logged"][-1].so_far
        (1.0, 0.5)
    """
    checked_level(level)
    if LOGGED in learners:
        raise EvaluationError(f"a learner is called {LOGGED!r}: that is the log's own curve")
    n_rows = count_rows(chunks)
    if not n_rows:
        raise EvaluationError("the log has no rows: nothing can be learned from it")
    model = RewardModel.fitted(
        reduce(NormalEquations.merged, (NormalEquations.of(log) for log in chunks()))
    )
    ends = np.unique(np.linspace(0, n_rows, n_points + 1).round().astype(int)[1:])
    judge = _Judge(learners, model)
    points: dict[str, list[Point]] = {name: [] for name in (*learners, LOGGED)}
    for block, is_last in _blocks(chunks(), ends):
        judge.take(block)
        on_rows(block.n_rows)
        if is_last:
            for name, point in judge.points(block.first_row + block.n_rows, level).items():
                points[name].append(point)
    return {name: tuple(own) for name, own in points.items()}


def batch_of(log: Decisions) -> Batch:
    """Rows of a log as a policy learns them."""
    shared = np.zeros((log.n_rows, 0)) if log.features is None else log.taken(log.features)
    ids = tuple(log.actions[place] for place in log.action)
    return Batch(log.context, shared, ids, log.reward, np.ones(log.n_rows, np.bool_))


class _Judge:
    """Judges rows by what was learned before them, then has them learned."""

    def __init__(self, learners: Mapping[str, Policy], model: RewardModel) -> None:
        self._targets = {name: Learned(policy) for name, policy in learners.items()}
        self._model = model
        self._stretch: dict[str, Tally] = {}
        self._whole: dict[str, Tally] = {}

    def take(self, block: Decisions) -> None:
        expected, bucket = self._model.expected(block), buckets(block)
        batch = batch_of(block)
        columns = {LOGGED: block.reward[:, None]}
        for name, target in self._targets.items():
            sample = sample_of(block, target.probabilities(block), expected)
            columns[name] = ESTIMATOR.columns(sample)
            target.policy.update(batch)
        for name, column in columns.items():
            _add(self._stretch, name, Tally.of(column, bucket))

    def points(self, n_rows: int, level: float) -> dict[str, Point]:
        """Of the stretch that ends here; begins the next one."""
        found = {}
        for name, tally in self._stretch.items():
            _add(self._whole, name, tally)
            found[name] = Point(
                n_rows,
                ESTIMATOR.value(tally.means),
                skewed(ESTIMATOR, tally, level),
                ESTIMATOR.value(self._whole[name].means),
            )
        self._stretch = {}
        return found


def _add(tallies: dict[str, Tally], name: str, tally: Tally) -> None:
    tallies[name] = tallies[name].merged(tally) if name in tallies else tally


def _blocks(chunks: Iterable[Decisions], ends: np.ndarray) -> Iterator[tuple[Decisions, bool]]:
    """The log in small blocks that keep their row numbers, and whether a stretch ends with them."""
    for log in chunks:
        start = 0
        while start < log.n_rows:
            row = log.first_row + start
            end = int(ends[np.searchsorted(ends, row, side="right")])
            stop = min(start + LARGEST_BLOCK, log.n_rows, start + end - row)
            yield rows_of(log, start, stop), log.first_row + stop == end
            start = stop
