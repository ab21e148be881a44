"""The past: the models of a placement as they stood at any row of the log.

Between the log and `api.loop.rederive`. A model is what its policy makes of the rewards up to a
row; a snapshot from before that row shortens the way. Everything is read on a connection that can
only read, beside a service that may be running.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from api.loop.lineup import CHALLENGER, CONFIGURED, Lineup, Model
from api.loop.policies import Names, policy_of_spec
from api.loop.teach import Teacher
from api.storage.lessons import lessons
from api.storage.record import Deciders
from api.storage.records import deciders_of
from api.storage.trial import PolicyRow
from policy import model_file
from policy.base import Policy
from policy.errors import ModelFileError, PolicyError
from policy.saved import load_policy

AT_ONCE = 512
"""Rewards read and learned at once."""


class Origin(NamedTuple):
    """What a model was made from.

    Args:
        snapshot: Place in the reward log that its snapshot reaches to; 0 for none.
        numpy: Version of the library that made the snapshot; empty without one.
        n_learned: Rows that were learned since.
    """

    snapshot: int = 0
    numpy: str = ""
    n_learned: int = 0


class Made(NamedTuple):
    """The policies that made a decision, as they stood then, and the champion's origin."""

    lineup: Lineup
    origin: Origin


@dataclass(frozen=True, slots=True)
class _Room:
    """A placement as it saw a layout; a `Classroom`."""

    name: str
    layout: int
    names: Mapping[str, Sequence[str]]


@dataclass(slots=True, eq=False)
class _Kept:
    """A model at hand, which can go on from where it is."""

    model: Model
    origin: Origin


class _Snapshot(NamedTuple):
    learned_through: int
    policy: str
    names: dict[str, Any]


class Past:
    """The models of one placement, at the rows that are asked for.

    Asked for in the order of the log, each goes on from the one before.

    Args:
        connection: Reads the store.
        placement: Its name.
        on_learned: Told how many rows were learned, for a progress bar.
        snapshots: Whether to start from snapshots; else from the first row of the log.
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
        self._teacher = Teacher(self._layouts)
        self._snapshots = self._known_snapshots() if snapshots else []
        self._kept: dict[tuple[str, int, float | None], _Kept] = {}
        self._deciders: dict[int | None, Deciders | None] = {}

    def deciders(self, step: int | None) -> Deciders | None:
        """Which policies decided from a step on; None where the log does not know."""
        if step not in self._deciders:
            self._deciders[step] = deciders_of(self._connection, step)
        return self._deciders[step]

    def names(self, layout: int) -> Mapping[str, Sequence[str]]:
        """What the entries of a layout's vectors mean."""
        return self._layouts[layout]

    def at(self, deciders: Deciders, layout: int, row: int) -> Made:
        """Champion and challenger after a row of the reward log; valid until the next call.

        Args:
            deciders: Who they were.
            layout: Of what they saw.
            row: Place of the last reward that they had learned.

        Raises:
            PolicyError: This version of the service cannot make a policy, or a lesson is damaged.
        """
        floor = None if deciders.configured is None else _floor_of(deciders.configured)
        champion = self._model(deciders.champion, layout, row, floor)
        challenger = None
        if deciders.challenger is not None:
            challenger = self._model(deciders.challenger, layout, row, floor).model
        lineup = Lineup(champion.model, challenger, deciders.share)
        return Made(lineup, champion.origin)

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

    def _model(self, row: PolicyRow, layout: int, through: int, floor: float | None) -> _Kept:
        key = (f"{row.name}@{row.version}", layout, floor)
        kept = self._kept[key] = self._start(row, layout, through, self._kept.get(key), floor)
        model, room = kept.model, _Room(self._placement, layout, self._layouts[layout])
        for rows in self._lessons(model.learned_through, through):
            self._teacher.teach(room, model, rows)
            kept.origin = kept.origin._replace(n_learned=kept.origin.n_learned + len(rows))
            self._on_learned(len(rows))
        model.learned_through = max(model.learned_through, through)
        return kept

    def _start(
        self, row: PolicyRow, layout: int, through: int, at_hand: _Kept | None, floor: float | None
    ) -> _Kept:
        """The nearest model before a row: the one at hand, a snapshot, or the policy as added."""
        if at_hand is not None and at_hand.model.learned_through > through:
            at_hand = None
        after = row.learns_after if at_hand is None else at_hand.model.learned_through
        for snapshot in reversed(self._snapshots):
            near = after < snapshot.learned_through <= through
            if near and snapshot.names == self._layouts[layout] and _is_of(snapshot.policy, row):
                restored = self._restored(snapshot, row, layout, floor)
                if restored is not None:
                    return restored
        return at_hand or _Kept(self._untrained(row, layout, floor), Origin())

    def _untrained(self, row: PolicyRow, layout: int, floor: float | None) -> Model:
        policy = self._policy(row, layout, floor)
        return Model(row.name, row.version, json.loads(row.spec), policy, row.learns_after)

    def _policy(self, row: PolicyRow, layout: int, floor: float | None) -> Policy:
        names = Names(**self._layouts[layout])
        given = {} if floor is None else {"floor": floor}
        if row.file is not None:
            return load_policy(row.file, names.context, names.features, **given)
        return policy_of_spec(json.loads(row.spec), names, **given)

    def _restored(
        self, snapshot: _Snapshot, row: PolicyRow, layout: int, floor: float | None
    ) -> _Kept | None:
        """A snapshot; None where it is damaged or does not fit."""
        sql = "SELECT data FROM models WHERE placement = ? AND policy = ? AND learned_through = ?"
        place = (self._placement, snapshot.policy, snapshot.learned_through)
        (data,) = self._connection.execute(sql, place).fetchone()
        model = self._untrained(row, layout, floor)
        try:
            manifest, arrays = model_file.load(data)
            model.policy.load_state(manifest, arrays)
        except PolicyError:
            return None
        model.learned_through = snapshot.learned_through
        return _Kept(model, Origin(snapshot.learned_through, str(manifest.get("numpy", ""))))

    def _known_snapshots(self) -> list[_Snapshot]:
        sql = "SELECT learned_through, policy, data FROM models WHERE placement = ? ORDER BY 1"
        found = []
        for row, policy, data in self._connection.execute(sql, (self._placement,)):
            try:
                manifest, _ = model_file.load(data)
            except ModelFileError:
                continue
            context, features = manifest.get("context_names"), manifest.get("feature_names")
            found.append(_Snapshot(row, policy, {"context": context, "features": features}))
        return found

    def _lessons(self, after: int, through: int) -> Iterator[list[Any]]:
        where = "d.placement = ? AND r.seq > ? AND r.seq <= ? ORDER BY r.seq LIMIT ?"
        while after < through:
            rows = lessons(self._connection, where, (self._placement, after, through, AT_ONCE))
            if not rows:
                return
            yield rows
            after = rows[-1].seq


def _is_of(snapshot: str, row: PolicyRow) -> bool:
    """Whether a saved model is the policy's: a changed setting goes on from the version before."""
    name, _, version = snapshot.rpartition("@")
    if name != row.name:
        return False
    return int(version) == row.version or (row.file is None and name in (CONFIGURED, CHALLENGER))


def _floor_of(configured: PolicyRow) -> float | None:
    """The floor of all policies of a placement; None for the usual one."""
    floor = json.loads(configured.spec).get("floor")
    return None if floor is None else float(floor)
