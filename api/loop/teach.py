"""Teach: rewards of the log into a policy, in the order of the log.

Under `api.loop.learn`, which follows the log, and `api.loop.past`, which goes through it again.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import structlog

from api.loop.lineup import Model
from api.storage.base import LearningRow
from policy.base import Batch
from policy.errors import PolicyError

log = structlog.get_logger()

Vector = npt.NDArray[np.float32]


class Classroom(Protocol):
    """Whose log is learned: a placement as it is, or one as it was."""

    @property
    def name(self) -> str:
        """Of the placement."""

    @property
    def layout(self) -> int:
        """Number of the layout of what it sees."""

    @property
    def names(self) -> Mapping[str, Sequence[str]]:
        """What the entries of its contexts and of its pair features mean."""


class Teacher:
    """Teaches rows of the log.

    Args:
        layouts: Names of logged vectors' entries, from `Store.layouts`.
    """

    def __init__(self, layouts: Mapping[int, Mapping[str, Sequence[str]]]) -> None:
        self._layouts = layouts

    def teach(
        self,
        room: Classroom,
        model: Model,
        rows: Iterable[LearningRow],
        refusals: type[Exception] = PolicyError,
    ) -> None:
        """Have one model learn rows of the log, in order, as far as they are new to it.

        Args:
            room: Whose log it is.
            model: Who learns.
            rows: Of the log.
            refusals: What makes a row one that the model does without.
        """
        new = [
            row for row in rows if row.placement == room.name and row.seq > model.learned_through
        ]
        usable = [row for row in new if _is_lesson(row)]
        try:
            self._update(room, model, usable)
        except refusals:
            for row in usable:
                self._learn_one(room, model, row, refusals)
        for row in new:
            model.learned_through = row.seq
            model.n_rewarded += bool(row.is_first)
            model.reward_sum += row.value

    def unlearn(self, room: Classroom, model: Model, rows: Sequence[LearningRow]) -> None:
        """Take learned rows out of a model, as if they had never been there.

        Raises:
            UnsupportedError: The policy has no statistics that rows could be taken out of.
            BatchError: A row that cannot have been learned; then nothing changes.
        """
        usable = [row for row in rows if _is_lesson(row)]
        if usable:
            model.policy.remove(self._batch(room, usable))
        model.n_rewarded -= sum(bool(row.is_first) for row in rows)
        model.reward_sum -= sum(row.value for row in rows)

    def _learn_one(
        self, room: Classroom, model: Model, row: LearningRow, refusals: type[Exception]
    ) -> None:
        try:
            self._update(room, model, [row])
        except refusals as error:
            log.error(
                "reward_not_learned",
                placement=room.name,
                policy=model.key,
                seq=row.seq,
                error=str(error),
            )

    def _update(self, room: Classroom, model: Model, rows: list[LearningRow]) -> None:
        if rows:
            model.policy.update(self._batch(room, rows))

    def _batch(self, room: Classroom, rows: list[LearningRow]) -> Batch:
        seen = [self._translated(room, row) for row in rows]
        return Batch(
            contexts=np.array([context for context, _ in seen], np.float64),
            features=np.array([features for _, features in seen], np.float64),
            action_ids=tuple(row.action_id for row in rows),
            rewards=np.array([row.value for row in rows]),
            first=np.array([bool(row.is_first) for row in rows]),
            before=np.array([row.before for row in rows]),
        )

    def _translated(self, room: Classroom, row: LearningRow) -> tuple[Vector, Vector]:
        """What the policy saw, in the names of today: a feature that was not there yet is 0."""
        context, wanted = np.frombuffer(row.context or b"", np.float32), room.names
        if row.layout == room.layout:
            return context, _of_chosen(row, len(wanted["features"]))
        names = self._layouts[row.layout or 0]
        features = _of_chosen(row, len(names["features"]))
        return (
            by_name(context, names["context"], wanted["context"]),
            by_name(features, names["features"], wanted["features"]),
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
