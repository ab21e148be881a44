"""The past: a placement's model as it stood at any row of the log.

Between the log and `api.loop.rederive`. A model is what its configuration makes of the rewards up
to a row; a snapshot from before that row shortens the way. Everything is read on a connection that
can only read, beside a service that may be running.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from api.loop.configured import policy_of
from api.loop.teach import Teacher
from api.storage.lessons import lessons
from api.storage.record import Version, place_of
from api.storage.records import configurations
from policy import model_file
from policy.base import Policy
from policy.errors import ModelFileError, PolicyError

AT_ONCE = 512
"""Rewards read and learned at once."""


@dataclass(slots=True, eq=False)
class Model:
    """A placement's policy at a row of the log; a `Student`, so it can go on from there.

    Args:
        epoch: Which of the placement's configurations, from 0.
        base_row: Row of the snapshot that it was made from; 0 for none.
        numpy: Version of the library that made its snapshot; empty without one.
        n_learned: Rows learned since.
    """

    name: str
    policy: Policy
    layout: int
    context_names: Sequence[str]
    feature_names: Sequence[str]
    epoch: int
    base_row: int = 0
    numpy: str = ""
    learned_through: int = 0
    n_learned: int = 0
    n_rewarded: int = 0
    reward_sum: float = 0.0


class _Snapshot(NamedTuple):
    learned_through: int
    fingerprint: str


class Past:
    """The models of one placement, at the rows that are asked for.

    Asked for in the order of the log, each goes on from the one before.

    Args:
        connection: Reads the store.
        placement: Its name.
        on_learned: Told how many rows were learned, for a progress bar.
        snapshots: Whether to start from snapshots; else from the first row of the log.

    Attributes:
        configurations: Every one that the placement decided under.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        placement: str,
        on_learned: Callable[[int], None] = lambda n: None,
        snapshots: bool = True,
    ) -> None:
        self._connection = connection
        self._placement = placement
        self._on_learned = on_learned
        rows = connection.execute("SELECT layout, names FROM layouts")
        self._layouts: dict[int, dict[str, list[str]]] = {n: json.loads(text) for n, text in rows}
        self._snapshots = self._known_snapshots() if snapshots else []
        self._model: Model | None = None
        self.configurations = configurations(connection, placement)

    def model(self, version: Version, decision_seq: int) -> Model | None:
        """The model of a version; valid until the next call.

        Args:
            version: Of this placement.
            decision_seq: Place in the log of the decision that names it: one configuration may
                have been left and come back to.

        Returns:
            None where the log has nothing of its configuration.

        Raises:
            PolicyError: This version of the service cannot make the policy, or a lesson is damaged.
        """
        epoch = place_of(self.configurations, version.fingerprint, decision_seq)
        if epoch is None:
            return None
        self._model = self._at(epoch, version.learned_through)
        return self._model

    def missing(self, after: int, through: int) -> int:
        """How many rows of the reward log are gone, of those after one place up to another."""
        sql = "SELECT count(*) FROM rewards WHERE seq > ? AND seq <= ?"
        (present,) = self._connection.execute(sql, (after, through)).fetchone()
        return max(0, through - after - int(present))

    def erasures_since(self, at_us: int) -> int:
        """How many persons that the placement had learned from were erased since."""
        sql = "SELECT report FROM erasures WHERE erased_at_us >= ?"
        reports = [json.loads(text) for (text,) in self._connection.execute(sql, (at_us,))]
        return sum(self._placement in report["models"] for report in reports)

    def _at(self, epoch: int, row: int) -> Model:
        model = self._start(epoch, row)
        teacher = Teacher({self._placement: model}, self._layouts)
        for rows in self._lessons(model.learned_through, row):
            teacher.learn(rows)
            model.n_learned += len(rows)
            self._on_learned(len(rows))
        model.learned_through = max(model.learned_through, row)
        return model

    def _start(self, epoch: int, row: int) -> Model:
        """The nearest model before a row: the one at hand, a snapshot, or what began the epoch."""
        at_hand, configuration = self._model, self.configurations[epoch]
        reached = -1
        if at_hand is not None and at_hand.epoch == epoch and at_hand.learned_through <= row:
            reached = at_hand.learned_through
        for snapshot in reversed(self._snapshots):
            own = snapshot.fingerprint == configuration.fingerprint
            if (
                own
                and max(reached + 1, configuration.learned_through)
                <= (snapshot.learned_through)
                <= row
            ):
                restored = self._restored(epoch, snapshot.learned_through)
                if restored is not None:
                    return restored
        if at_hand is not None and reached >= 0:
            return at_hand
        return self._beginning(epoch, row)

    def _beginning(self, epoch: int, row: int) -> Model:
        """Untrained, or with what the configuration before had learned."""
        configuration = self.configurations[epoch]
        model = self._untrained(epoch)
        if 0 < configuration.learned_through <= row and epoch > 0:
            before = self._at(epoch - 1, configuration.learned_through)
            model.policy.load_state(*before.policy.state())
            model.learned_through, model.n_learned = before.learned_through, before.n_learned
            model.base_row, model.numpy = before.base_row, before.numpy
        return model

    def _untrained(self, epoch: int) -> Model:
        configuration = self.configurations[epoch]
        names = self._layouts[configuration.layout]
        policy = policy_of(json.loads(configuration.parameters), names)
        return Model(
            self._placement, policy, configuration.layout, names["context"], names["features"],
            epoch,
        )  # fmt: skip

    def _restored(self, epoch: int, row: int) -> Model | None:
        """A snapshot; None where it is damaged or does not fit."""
        sql = "SELECT data FROM models WHERE placement = ? AND learned_through = ?"
        found = self._connection.execute(sql, (self._placement, row)).fetchone()
        model = self._untrained(epoch)
        try:
            manifest, arrays = model_file.load(found[0])
            model.policy.load_state(manifest, arrays)
        except (TypeError, PolicyError):
            return None
        model.learned_through, model.base_row = row, row
        model.numpy = str(manifest.get("numpy", ""))
        return model

    def _known_snapshots(self) -> list[_Snapshot]:
        sql = "SELECT learned_through, data FROM models WHERE placement = ? ORDER BY 1"
        found = []
        for row, data in self._connection.execute(sql, (self._placement,)):
            try:
                found.append(_Snapshot(row, str(model_file.load(data)[0].get("fingerprint"))))
            except ModelFileError:
                continue
        return found

    def _lessons(self, after: int, through: int) -> Iterator[list[Any]]:
        where = "d.placement = ? AND r.seq > ? AND r.seq <= ? ORDER BY r.seq LIMIT ?"
        while after < through:
            rows = lessons(self._connection, where, (self._placement, after, through, AT_ONCE))
            if not rows:
                return
            yield rows
            after = rows[-1].seq
