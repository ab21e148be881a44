"""Teach: rewards of the log into policies, in the order of the log.

Under `api.loop.learn`, which follows the log, and `api.loop.past`, which goes through it again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Protocol

import numpy as np
import numpy.typing as npt
import structlog

from api.storage.base import LearningRow
from policy.base import Batch, Policy
from policy.errors import BatchError

log = structlog.get_logger()

Vector = npt.NDArray[np.float32]


class Student(Protocol):
    """Whose policy learns: a placement as it is, or one as it was."""

    policy: Policy
    layout: int
    learned_through: int
    n_rewarded: int
    reward_sum: float

    @property
    def name(self) -> str:
        """Of the placement."""

    @property
    def context_names(self) -> Sequence[str]:
        """What the entries of its contexts mean."""

    @property
    def feature_names(self) -> Sequence[str]:
        """What those of its pair features mean."""


class Teacher:
    """Teaches rows of the log.

    Args:
        students: By the name of their placement.
        layouts: Names of logged vectors' entries, from `Store.layouts`.
        on_learned: Told how many rows were learned, for metrics.

    Attributes:
        read_through: Place in the log of the last reward that was read.
    """

    def __init__(
        self,
        students: Mapping[str, Student],
        layouts: Mapping[int, Mapping[str, Sequence[str]]],
        on_learned: Callable[[int], None] = lambda n: None,
    ) -> None:
        self._students = students
        self._layouts = layouts
        self._on_learned = on_learned
        self.read_through = min((one.learned_through for one in students.values()), default=0)

    def unlearn(self, student: Student, rows: Sequence[LearningRow]) -> None:
        """Take learned rows out of a placement's policy, as if they had never been there.

        Raises:
            UnsupportedError: The policy has no statistics that rows could be taken out of.
            BatchError: A row that cannot have been learned; then nothing changes.
        """
        usable = [row for row in rows if _is_lesson(row)]
        if usable:
            student.policy.remove(self._batch(student, usable))
        student.n_rewarded -= sum(bool(row.is_first) for row in rows)
        student.reward_sum -= sum(row.value for row in rows)

    def learn(self, rows: Iterable[LearningRow]) -> None:
        """Learn rows of the log, in order."""
        rows = sorted(rows, key=attrgetter("placement", "seq"))
        for name, group in groupby(rows, key=attrgetter("placement")):
            student = self._students.get(name)
            if student is not None:
                self._learn(student, [row for row in group if row.seq > student.learned_through])
        self.read_through = max([self.read_through, *(row.seq for row in rows)])
        self._on_learned(len(rows))

    def _learn(self, student: Student, rows: list[LearningRow]) -> None:
        usable = [row for row in rows if _is_lesson(row)]
        try:
            self._update(student, usable)
        except BatchError:
            for row in usable:
                self._learn_one(student, row)
        for row in rows:
            student.learned_through = row.seq
            student.n_rewarded += bool(row.is_first)
            student.reward_sum += row.value

    def _learn_one(self, student: Student, row: LearningRow) -> None:
        try:
            self._update(student, [row])
        except BatchError as error:
            log.error("reward_not_learned", placement=student.name, seq=row.seq, error=str(error))

    def _update(self, student: Student, rows: list[LearningRow]) -> None:
        if rows:
            student.policy.update(self._batch(student, rows))

    def _batch(self, student: Student, rows: list[LearningRow]) -> Batch:
        seen = [self._translated(student, row) for row in rows]
        return Batch(
            contexts=np.array([context for context, _ in seen], np.float64),
            features=np.array([features for _, features in seen], np.float64),
            action_ids=tuple(row.action_id for row in rows),
            rewards=np.array([row.value for row in rows]),
            first=np.array([bool(row.is_first) for row in rows]),
            before=np.array([row.before for row in rows]),
        )

    def _translated(self, student: Student, row: LearningRow) -> tuple[Vector, Vector]:
        """What the policy saw, in the names of today: a feature that was not there yet is 0."""
        context = np.frombuffer(row.context or b"", np.float32)
        if row.layout == student.layout:
            return context, _of_chosen(row, len(student.feature_names))
        names = self._layouts[row.layout or 0]
        features = _of_chosen(row, len(names["features"]))
        return (
            by_name(context, names["context"], student.context_names),
            by_name(features, names["features"], student.feature_names),
        )


def _is_lesson(row: LearningRow) -> bool:
    """Not a default, which nobody chose, and no row that changes nothing."""
    return row.layout is not None and bool(row.is_first or row.value)


def _of_chosen(row: LearningRow, n_shared: int) -> Vector:
    offset = 4 * n_shared * row.chosen
    return np.frombuffer(row.features or b"", np.float32, n_shared, offset)


def by_name(values: Vector, old: Sequence[str], new: Sequence[str]) -> Vector:
    """A logged vector in the names of today; what was not there is 0."""
    known = dict(zip(old, values.tolist(), strict=True))
    return np.array([known.get(name, 0.0) for name in new], np.float32)
