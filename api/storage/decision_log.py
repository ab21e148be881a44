"""The decisions of a store as off-policy evaluation takes them: settled ones, chunk by chunk.

Beside the store, which it never touches: a connection of its own that can only read, so that it may
be used while the service runs.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from api.storage.base import StoreError
from api.storage.reading import reading
from policy.catalog.condition.vocabulary import WEEKDAYS
from policy.ope.log import Decisions

LARGEST_CHUNK = 20_000
LARGEST_CELLS = 8_000_000
"""Numbers of one chunk: rows times actions times features."""

_CHOSEN = """d.placement = ? AND d.layout IS NOT NULL AND d.density IS NULL
             AND coalesce(d.visitor_group, '') <> 'control'"""
_SELECT = f"""
    SELECT d.seq, d.candidates, d.probabilities, d.chosen, d.context, d.features, d.layout,
           d.visitor, coalesce(d.segment, 'none'), d.decided_at_us,
           (SELECT total(r.value) FROM rewards r WHERE r.decision_id = d.decision_id)
    FROM decisions d
    WHERE {_CHOSEN} AND d.seq > ? AND EXISTS (
        SELECT 1 FROM rewards r WHERE r.decision_id = d.decision_id AND r.is_first)
    ORDER BY d.seq LIMIT ?"""  # noqa: S608  # a condition of our own


@dataclass
class DecisionLog:
    """The log of one placement.

    Defaults, the control group and prices out of a range are no choices among actions and left out;
    so is what has not earned anything yet while its window is open.

    Args:
        path: The store's file.
        placement: Its name.
        timezone: Of the labels `day`, `weekday` and `hour`.

    Attributes:
        actions: Every candidate of every decision, sorted.
        context_names: Of the latest layout; older rows are read in these names, 0 for what they
            lack.

    Raises:
        StoreError: There is no such store, or no decision of the placement in it.
    """

    path: Path
    placement: str
    timezone: tzinfo = UTC
    actions: tuple[str, ...] = field(init=False)
    context_names: tuple[str, ...] = field(init=False)
    feature_names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        with reading(self.path) as connection:
            where = f"FROM decisions d WHERE {_CHOSEN}"
            sql = f"SELECT DISTINCT candidates {where}"  # as above
            texts = [text for (text,) in connection.execute(sql, (self.placement,))]
            sql = f"SELECT max(d.layout) {where}"  # as above
            (latest,) = connection.execute(sql, (self.placement,)).fetchone()
            if latest is None:
                sql = "SELECT DISTINCT placement FROM decisions ORDER BY 1"
                known = ", ".join(name for (name,) in connection.execute(sql)) or "none"
                raise StoreError(
                    f"{self.path} has no choice among actions of placement {self.placement!r} to "
                    f"evaluate; it has decisions of: {known}"
                )
            layouts = connection.execute("SELECT layout, names FROM layouts").fetchall()
        self.actions = tuple(sorted({name for text in texts for name in json.loads(text)}))
        self._layouts = {number: json.loads(names) for number, names in layouts}
        self.context_names = tuple(self._layouts[latest]["context"])
        self.feature_names = tuple(self._layouts[latest]["features"])

    def chunks(self) -> Iterator[Decisions]:
        """The decisions in the order of the log.

        Raises:
            StoreError: The store cannot be read.
        """
        width = len(self.actions) * (len(self.feature_names) + 3)
        limit = max(1, min(LARGEST_CHUNK, LARGEST_CELLS // width))
        first_row, seq = 0, 0
        visitors: dict[str, int] = {}
        with reading(self.path) as connection:
            while rows := connection.execute(_SELECT, (self.placement, seq, limit)).fetchall():
                yield self._decisions(rows, visitors, first_row)
                first_row, seq = first_row + len(rows), rows[-1][0]

    def _decisions(
        self, rows: Sequence[tuple[Any, ...]], visitors: dict[str, int], first_row: int
    ) -> Decisions:
        n, shape = len(rows), (len(rows), len(self.actions))
        eligible = np.zeros(shape, np.bool_)
        logging = np.zeros(shape)
        features = np.zeros((*shape, len(self.feature_names)), np.float32)
        context = np.zeros((n, len(self.context_names)))
        action = np.zeros(n, np.int64)
        for i, row in enumerate(rows):
            _, candidates, probabilities, chosen, seen, pairs, layout, *_ = row
            places = self._places(candidates)
            eligible[i, places] = True
            logging[i, places] = np.frombuffer(probabilities)
            action[i] = places[chosen]
            of_context, of_pair = self._columns(layout)
            context[i] = picked(np.frombuffer(seen, np.float32), of_context)
            own = np.frombuffer(pairs, np.float32).reshape(len(places), -1)
            features[i, places] = picked(own, of_pair)
        return Decisions(
            self.actions,
            action,
            np.array([row[10] for row in rows]),
            logging[np.arange(n), action],
            context,
            eligible,
            logging,
            features,
            np.array([visitors.setdefault(row[7], len(visitors)) for row in rows], np.int64),
            labels_of([row[8] for row in rows], [row[9] for row in rows], self.timezone),
            first_row=first_row,
        )

    @lru_cache(maxsize=10_000)  # noqa: B019  # a log lives as long as the command
    def _places(self, candidates: str) -> npt.NDArray[np.int64]:
        place_of = {name: place for place, name in enumerate(self.actions)}
        return np.array([place_of[name] for name in json.loads(candidates)], np.int64)

    @lru_cache(maxsize=100)  # noqa: B019  # as above
    def _columns(self, layout: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        names = self._layouts[layout]
        return (
            positions(self.context_names, names["context"]),
            positions(self.feature_names, names["features"]),
        )

    def __hash__(self) -> int:
        return id(self)


def labels_of(
    segments: Sequence[str], decided_at_us: Sequence[int], timezone: tzinfo
) -> dict[str, npt.NDArray[np.str_]]:
    """What decisions can be told apart by: `segment`, `day`, `weekday` and `hour`, each (n,).

    Args:
        segments: Of each decision.
        decided_at_us: When it was made, in microseconds since 1970.
        timezone: Of the days and hours.
    """
    moments = [datetime.fromtimestamp(at / 1e6, timezone) for at in decided_at_us]
    return {
        "segment": np.array(segments),
        "day": np.array([moment.date().isoformat() for moment in moments]),
        "weekday": np.array([WEEKDAYS[moment.weekday()] for moment in moments]),
        "hour": np.array([f"{moment.hour:02}" for moment in moments]),
    }


def positions(wanted: Sequence[str], present: Sequence[str]) -> npt.NDArray[np.int64]:
    """Where each wanted entry is; behind the last one for what is not there."""
    place_of = {name: place for place, name in enumerate(present)}
    return np.array([place_of.get(name, len(present)) for name in wanted], np.int64)


def picked(values: npt.NDArray[np.float32], columns: npt.NDArray[np.int64]) -> Any:
    """Columns of the last axis, 0 for those behind its end."""
    padded = np.concatenate([values, np.zeros((*values.shape[:-1], 1), np.float32)], axis=-1)
    return padded[..., columns]
