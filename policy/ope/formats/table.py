"""Logs as tables with named columns: what CSV and parquet have in common.

action, reward, propensity      required
cluster, position               optional
context.NAME                    numbers that the decision knew
logging.ACTION                  logging probability of every action
eligible.ACTION                 whether it could have been shown (0 or 1)
target.POLICY.ACTION            probability of every action under another policy
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from policy.errors import LogError, shown, suggestion
from policy.ope.log import check_logged

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from policy.ope.log import Decisions
    from policy.ope.screen import Screen

CONTEXT, LOGGING, ELIGIBLE, TARGET = "context.", "logging.", "eligible.", "target."
CHUNK_ROWS = 8_192
"""So few that what is made of them stays in the cache: thrice as fast as 65,536."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column holds what.

    Args:
        action: Id of what was shown.
        reward: What it earned.
        propensity: With which probability it was shown; None where nobody wrote it down: 1 then
            stands for it, until `policy.ope.propensity` estimates it.
        cluster: Whose decision it was; None where every row stands for itself.
        position: Slot in a list; None without lists.
        context: Numbers to take for the context besides those under ``context.``.
        labels: Columns to tell results apart by.

    Example:
        >>> Columns(reward="clicks", labels=("segment",)).reward
        'clicks'
    """

    action: str = "action"
    reward: str = "reward"
    propensity: str | None = "propensity"
    cluster: str | None = None
    position: str | None = None
    context: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()

    def check(self, names: Iterable[str]) -> None:
        """Refuse a table that lacks a column.

        Raises:
            LogError: It names the column and the nearest one.
        """
        known = list(names)
        wanted = (self.action, self.reward, self.propensity, self.cluster, self.position)
        for name in (*wanted, *self.context, *self.labels):
            if name is not None and name not in known:
                raise LogError(f"the log has no column {shown(name)}: {suggestion(name, known)}")


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """A column of few values: each value once, and which one a row has.

    Args:
        values: Distinct, or not.
        codes: Position in ``values`` of each row's, (n,).

    Example:
        >>> Coded.of(np.array(["tea", "salt", "tea"])).places(("salt", "tea"))
        array([1, 0, 1])
    """

    values: Sequence[object]
    codes: np.ndarray

    @staticmethod
    def of(column: np.ndarray) -> Coded:
        """A column that is not coded."""
        code_of: dict[object, int] = {}
        codes = [code_of.setdefault(value, len(code_of)) for value in column.tolist()]
        return Coded(list(code_of), np.array(codes, np.int64))

    def places(self, names: tuple[str, ...]) -> np.ndarray:
        """Position in ``names`` of each row's value as text, (n,); -1 for one that is not there."""
        place = {name: number for number, name in enumerate(names)}
        # What is missing has the code -1, and the last place is for that.
        of_value = np.array([place.get(str(value), -1) for value in self.values] + [-1], np.int64)
        places: np.ndarray = of_value[self.codes]
        return places


def from_table(
    table: Mapping[str, np.ndarray],
    columns: Columns,
    actions: tuple[str, ...],
    screen: Screen,
    action: Coded | None = None,
) -> Decisions:
    """Decisions out of some rows of a table.

    Args:
        table: Each column, (n,).
        columns: Which holds what.
        actions: Ids of all actions of the whole log.
        screen: What to do with rows that cannot be used.
        action: The column of actions, instead of that in the table.

    Raises:
        LogError: A column is missing or holds no numbers, or a row cannot be used.
    """
    action = action or Coded.of(table[columns.action])
    columns.check((*table, columns.action))
    context = [*columns.context, *(name for name in table if name.startswith(CONTEXT))]
    made: dict[str, Any] = {
        "actions": actions,
        "action": action.places(actions),
        "reward": _numbers(table, columns.reward),
        "propensity": _propensities(table, columns),
        "labels": {name: np.asarray(table[name]).astype(str) for name in columns.labels},
        "targets": {
            policy: _of_actions(table, f"{TARGET}{policy}.", actions) for policy in _policies(table)
        },
    }
    if context:
        made["context"] = np.column_stack([_numbers(table, name) for name in context])
    if any(name.startswith(LOGGING) for name in table):
        made["logging"] = _of_actions(table, LOGGING, actions)
    if any(name.startswith(ELIGIBLE) for name in table):
        made["eligible"] = _of_actions(table, ELIGIBLE, actions) > 0.0
    if columns.cluster is not None:
        made["cluster"] = _cluster_numbers(table[columns.cluster])
    if columns.position is not None:
        made["position"] = _numbers(table, columns.position).astype(np.int64)
    return screen.decisions(**made)


def to_table(log: Decisions, context_names: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """The columns of a chunk under their standard names; labels keep theirs.

    Args:
        log: The chunk.
        context_names: Of the context's entries; by default they are numbered.
    """
    check_logged(log)
    table: dict[str, np.ndarray] = {
        "action": np.array(log.actions, dtype=object)[log.action],
        "reward": log.reward,
        "propensity": log.propensity,
    }
    if log.cluster is not None:
        table["cluster"] = log.cluster
    if log.position is not None:
        table["position"] = log.position
    names = context_names or range(log.context.shape[1])
    table |= {f"{CONTEXT}{name}": log.context[:, i] for i, name in enumerate(names)}
    wide = [(LOGGING, log.logging), (ELIGIBLE, log.eligible)]
    wide += [(f"{TARGET}{name}.", values) for name, values in log.targets.items()]
    for prefix, values in wide:
        if values is not None:
            table |= {f"{prefix}{a}": values[:, i] * 1.0 for i, a in enumerate(log.actions)}
    return table | dict(log.labels)


def standard_columns(log: Decisions) -> Columns:
    """The columns under which ``to_table`` writes a log."""
    return Columns(
        cluster=None if log.cluster is None else "cluster",
        position=None if log.position is None else "position",
        labels=tuple(log.labels),
    )


def _propensities(table: Mapping[str, np.ndarray], columns: Columns) -> np.ndarray:
    if columns.propensity is None:
        return np.ones(len(table[columns.reward]))
    return _numbers(table, columns.propensity)


def _policies(table: Mapping[str, np.ndarray]) -> list[str]:
    names = [name.removeprefix(TARGET) for name in table if name.startswith(TARGET)]
    return list(dict.fromkeys(name.split(".", 1)[0] for name in names))


def _of_actions(
    table: Mapping[str, np.ndarray], prefix: str, actions: tuple[str, ...]
) -> np.ndarray:
    for action in actions:
        if prefix + action not in table:
            raise LogError(f"the log has no column {shown(prefix + action)}: one for every action")
    return np.column_stack([_numbers(table, prefix + action) for action in actions])


def _numbers(table: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    try:
        return np.asarray(table[name], dtype=np.float64)
    except (TypeError, ValueError) as cause:
        raise LogError(f"column {shown(name)} must hold numbers: {cause}") from None


def _cluster_numbers(column: np.ndarray) -> np.ndarray:
    if column.dtype.kind in "iu":
        return column.astype(np.int64)
    return np.array([_number_of(value) for value in column], np.int64)


def _number_of(value: Any) -> int:
    """A cluster's number: itself, or one that a text always gets."""
    if isinstance(value, (int, np.integer)):
        return int(value)
    text = str(value)
    if text.removeprefix("-").isdecimal() and len(text) < 19:
        return int(text)
    # FNV-1a: the same on every machine and in every run, unlike hash().
    number = 0xCBF29CE484222325
    for byte in text.encode("utf-8", "surrogatepass"):
        number = ((number ^ byte) * 0x100000001B3) % 2**64
    return number >> 1
