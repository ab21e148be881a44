"""Vowpal Wabbit's decision-service JSON: one decision a line.

    {"_label_cost": -1, "_label_probability": 0.8, "_label_Action": 2, "_labelIndex": 1,
     "EventId": "...", "Timestamp": "...", "a": [2, 1], "p": [0.8, 0.2],
     "c": {"shared": {...}, "_multi": [{...}, {...}]}}

Actions are numbered from 1 in the order of ``_multi``; ``a`` lists them by rank, ``p`` their
probabilities in that order, and the first of both is what was shown. A cost is a negative reward.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from policy.errors import LogError, shown
from policy.ope.formats.table import CHUNK_ROWS
from policy.ope.log import check_logged
from policy.ope.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from policy.ope.log import Decisions


@dataclass(slots=True)
class DsjsonReader:
    """Reads the file in chunks, as often as it is asked to.

    Args:
        path: The file, UTF-8.
        screen: What to do with rows that cannot be used.
        context: Paths of numbers to take for the context, such as ``shared.age``; 0 where a line
            lacks one.
        chunk_rows: Rows of a chunk.
        n_skipped: Lines that were no decisions, such as rewards that came without one; known after
            reading.
    """

    path: Path
    screen: Screen
    context: tuple[str, ...] = ()
    chunk_rows: int = CHUNK_ROWS
    n_skipped: int = field(default=0, init=False)

    def chunks(self) -> Iterator[Decisions]:
        """The chunks of the log.

        Raises:
            LogError: No such file, a line that is no JSON or lacks a field, or a row that cannot be
                used.
        """
        n_actions = max((len(_multi(row)) for row in self._rows()), default=0)
        actions = tuple(str(number) for number in range(1, n_actions + 1))
        rows = self._rows()
        while some := list(islice(rows, self.chunk_rows)):
            yield self._decisions(some, actions)

    def _rows(self) -> Iterator[dict[str, Any]]:
        self.n_skipped = 0
        try:
            with self.path.open(encoding="utf-8") as file:
                for number, line in enumerate(file, 1):
                    row = _parsed(line, number, self.path)
                    if row is None:
                        self.n_skipped += 1
                    else:
                        yield row
        except (OSError, UnicodeDecodeError) as cause:
            raise LogError(f"{self.path} cannot be read: {cause}") from None

    def _decisions(self, rows: list[dict[str, Any]], actions: tuple[str, ...]) -> Decisions:
        logging = np.zeros((len(rows), len(actions)))
        for number, row in enumerate(rows):
            logging[number, np.asarray(row["a"]) - 1] = row["p"]
        eligible = np.array([len(_multi(row)) for row in rows])[:, None] > np.arange(len(actions))
        columns: dict[str, Any] = {
            "actions": actions,
            "action": np.array([int(row["_label_Action"]) - 1 for row in rows], np.int64),
            "reward": -np.array([float(row["_label_cost"]) for row in rows]),
            "propensity": np.array([float(row["_label_probability"]) for row in rows]),
            "eligible": eligible,
            "logging": logging,
        }
        if self.context:
            columns["context"] = np.array(
                [[_at(row["c"], path) for path in self.context] for row in rows]
            )
        return self.screen.decisions(**columns)


def numbers_of(path: Path) -> tuple[str, ...]:
    """Paths of the numbers in the ``shared`` part of the first decision, as a context takes them.

    Raises:
        LogError: No such file, or a first decision that is none.
    """
    first = next(DsjsonReader(path, Screen())._rows(), None)
    return tuple(sorted(_numbers(first["c"].get("shared"), "shared"))) if first else ()


def _numbers(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            # A dot parts names: one within a name could not be told from it.
            if "." not in name:
                yield from _numbers(inner, f"{path}.{name}")
    elif isinstance(value, int | float):
        yield path


def write_dsjson(
    path: Path,
    chunks: Iterable[Decisions],
    context_names: Sequence[str] = (),
    *,
    renumber: bool = False,
) -> None:
    """Write a log, its context under ``shared``.

    Args:
        path: The file.
        chunks: The log's.
        context_names: Of the context's entries; by default ``0``, ``1`` and so on.
        renumber: Whether each line numbers its own eligible actions, as Vowpal Wabbit takes them;
            which is which is then only told by the ids in ``_multi``.

    Raises:
        LogError: A log without the probability of every action, or, unless each line is numbered by
            itself, one whose eligible actions are not the first ones: the format cannot say that.
    """
    with path.open("w", encoding="utf-8") as file:
        for log in chunks:
            check_logged(log)
            for row in range(log.n_rows):
                line = _line(log, row, context_names, renumber=renumber)
                file.write(json.dumps(line) + "\n")


def _line(
    log: Decisions, row: int, context_names: Sequence[str], *, renumber: bool
) -> dict[str, Any]:
    if log.logging is None:
        raise LogError("DSJSON needs the logging probability of every action: the log lacks it")
    eligible = np.flatnonzero(log.could_show[row]).tolist()
    if not renumber and eligible != list(range(len(eligible))):
        raise LogError(f"row {log.first_row + row}: DSJSON numbers the eligible actions from 1")
    number_of = {action: number for number, action in enumerate(eligible, 1)}
    action = int(log.action[row])
    ranked = [action, *(a for a in eligible if a != action)]
    names = context_names or [str(i) for i in range(log.context.shape[1])]
    return {
        "_label_cost": 0.0 - float(log.reward[row]),
        "_label_probability": float(log.propensity[row]),
        "_label_Action": number_of[action],
        "_labelIndex": number_of[action] - 1,
        "o": [],
        "Timestamp": "1970-01-01T00:00:00.0000000Z",
        "Version": "1",
        "EventId": str(log.first_row + row),
        "a": [number_of[a] for a in ranked],
        "c": {
            "shared": dict(zip(names, log.context[row].tolist(), strict=True)),
            "_multi": [{"a": {"id": log.actions[a]}} for a in eligible],
        },
        "p": [float(log.logging[row, a]) for a in ranked],
        "VWState": {"m": "0"},
    }


def _parsed(line: str, number: int, path: Path) -> dict[str, Any] | None:
    """A decision, or None for a line that is none."""
    try:
        row = json.loads(line) if line.strip() else {}
    except (ValueError, RecursionError) as cause:
        raise LogError(f"{path}, line {number}: no JSON: {cause}") from None
    if not isinstance(row, dict) or "_label_cost" not in row:
        return None
    problem = _problem(row)
    if problem:
        raise LogError(f"{path}, line {number}: {problem}")
    return row


def _problem(row: dict[str, Any]) -> str | None:
    for name in ("_label_probability", "_label_Action", "a", "p", "c"):
        if name not in row:
            return f"lacks {name!r}"
    numbers, probabilities = row["a"], row["p"]
    n_actions = len(_multi(row))
    if not isinstance(numbers, list) or sorted(map(str, numbers)) != sorted(
        map(str, range(1, n_actions + 1))
    ):
        return f"a is {shown(numbers)}: must be the numbers 1 to {n_actions}, one for each action"
    if not isinstance(probabilities, list) or len(probabilities) != n_actions:
        return f"p is {shown(probabilities)}: must be {n_actions} probabilities"
    return None


def _multi(row: dict[str, Any]) -> list[Any]:
    context = row["c"]
    listed = context.get("_multi") if isinstance(context, dict) else None
    return listed if isinstance(listed, list) else []


def _at(context: Any, path: str) -> float:
    for name in path.split("."):
        context = context.get(name) if isinstance(context, dict) else None
    return float(context) if isinstance(context, (int, float)) else 0.0
