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
CHUNK_ROWS = 65_536


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column holds what.

    Args:
        action: Id of what was shown.
        reward: What it earned.
        propensity: With which probability it was shown.
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
    propensity: str = "propensity"
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


def from_table(
    table: Mapping[str, np.ndarray], columns: Columns, actions: tuple[str, ...], screen: Screen
) -> Decisions:
    """Decisions out of some rows of a table.

    Args:
        table: Each column, (n,).
        columns: Which holds what.
        actions: Ids of all actions of the whole log.
        screen: What to do with rows that cannot be used.

    Raises:
        LogError: A column is missing or holds no numbers, or a row cannot be used.
    """
    columns.check(table)
    place = {action: number for number, action in enumerate(actions)}
    context = [*columns.context, *(name for name in table if name.startswith(CONTEXT))]
    n = len(table[columns.action])
    made: dict[str, Any] = {
        "actions": actions,
        "action": np.array([place.get(str(a), -1) for a in table[columns.action]], np.int64),
        "reward": _numbers(table, columns.reward),
        "propensity": _numbers(table, columns.propensity),
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
        made["cluster"] = np.array([_number_of(v) for v in table[columns.cluster]], np.int64)
    if columns.position is not None:
        made["position"] = _numbers(table, columns.position).astype(np.int64)
    assert n == len(made["action"])  # noqa: S101  # columns of one table
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
