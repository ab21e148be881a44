"""A chunk of logged decisions: the context, what was shown, how probably, and what it earned.

Where off-policy evaluation starts: every format is read into chunks of these, and every estimator
sees nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from policy.errors import LogError, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Labels = npt.NDArray[Any]

SUM_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Decisions:
    """Rows of a log, in its order; every one can be used.

    Args:
        actions: Distinct ids of all actions of the log, n_actions of them.
        action: Position in ``actions`` of what was shown, (n,).
        reward: What it earned, finite, (n,).
        propensity: Probability with which it was shown, in (0, 1], (n,).
        context: (n, n_context); may have no columns.
        eligible: Which actions could have been shown, (n, n_actions); None for all.
        logging: Probability of every action under the policy that wrote the log, (n, n_actions);
            None where only that of the shown one is known.
        features: Of each (context, action) pair, (n, n_actions, n_shared); None for none.
        cluster: Number of the visitor or session, (n,): rows of one are not independent. None
            where every row is.
        labels: What results are told apart by, such as ``segment`` or ``day``, each (n,).
        position: Slot in a list, (n,); None without lists.
        targets: What named policies would have shown, worked out beforehand: their probability of
            every action, each (n, n_actions).
        first_row: Number of the first row within the whole log, so that chunks fold as one log.
        propensity_is_estimated: Whether propensities are a model's guess, not what was drawn with;
            `policy.ope.propensity` says so, and every evaluation repeats it.

    Raises:
        LogError: A shape that does not fit, or a row that cannot be used; ``policy.ope.screen``
            leaves such rows out and counts them.

    Example:
        >>> log = Decisions(("a", "b"), np.array([0, 1]), np.array([1.0, 0.0]), np.full(2, 0.5))
        >>> log.n_rows, log.n_actions
        (2, 2)
    """

    actions: tuple[str, ...]
    action: Ints
    reward: Array
    propensity: Array
    context: Array = field(default_factory=lambda: np.zeros((0, 0)))
    eligible: Bools | None = None
    logging: Array | None = None
    features: npt.NDArray[Any] | None = None
    cluster: Ints | None = None
    labels: Mapping[str, Labels] = field(default_factory=dict)
    position: Ints | None = None
    targets: Mapping[str, Array] = field(default_factory=dict)
    first_row: int = 0
    propensity_is_estimated: bool = False

    def __post_init__(self) -> None:
        if self.context.shape == (0, 0):
            object.__setattr__(self, "context", np.zeros((len(self.action), 0)))
        _check_shapes(self)
        for fault, rows in faults(self).items():
            if rows.any():
                row = int(np.argmax(rows))
                raise LogError(
                    f"row {self.first_row + row}: {fault} ({_value(self, fault, row)}); mend the "
                    "log, or leave such rows out (they are then counted) with on_fault='exclude'"
                )

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.action)

    @property
    def n_actions(self) -> int:
        """Number of actions of the whole log."""
        return len(self.actions)

    @property
    def could_show(self) -> Bools:
        """Which actions could have been shown, (n, n_actions)."""
        if self.eligible is None:
            return np.ones((self.n_rows, self.n_actions), np.bool_)
        return self.eligible

    def taken(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Of (n, n_actions) values, those of the shown actions, (n,)."""
        return values[np.arange(self.n_rows), self.action]


def check_logged(log: Decisions) -> None:
    """Refuse to write propensities that were not logged: a reader would take them for true.

    Raises:
        LogError: They are estimated.
    """
    if log.propensity_is_estimated:
        raise LogError(
            "propensities of the log are estimated, and no format can say so: write what was "
            "logged, and estimate them where it is read"
        )


PROPENSITY = "propensity must be above 0 and at most 1"
REWARD = "reward must be a finite number"
ACTION = "action must be one of the log's actions"
INELIGIBLE = "action must be one of the row's eligible ones"
LOGGING = "logging probabilities must sum to 1 over the eligible actions"
MISMATCH = "propensity must be the logging probability of the action"


def faults(log: Decisions) -> dict[str, Bools]:
    """Which rows break which rule, (n,) for each rule that can be checked.

    Example:
        >>> log = Decisions(("a",), np.array([0]), np.array([1.0]), np.array([1.0]))
        >>> [rows.any() for rows in faults(log).values()]
        [np.False_, np.False_, np.False_]
    """
    known = (log.action >= 0) & (log.action < log.n_actions)
    found = {
        PROPENSITY: ~((log.propensity > 0.0) & (log.propensity <= 1.0)),
        REWARD: ~np.isfinite(log.reward),
        ACTION: ~known,
    }
    safe = np.where(known, log.action, 0)
    rows = np.arange(log.n_rows)
    if log.eligible is not None:
        found[INELIGIBLE] = known & ~log.eligible[rows, safe]
    if log.logging is not None:
        off = abs(log.logging.sum(axis=1) - 1.0) > SUM_TOLERANCE
        off |= ~(log.logging >= 0.0).all(axis=1)
        if log.eligible is not None:
            off |= (log.logging * ~log.eligible).any(axis=1)
        found[LOGGING] = off
        difference = abs(log.logging[rows, safe] - log.propensity)
        found[MISMATCH] = ~off & known & (difference > SUM_TOLERANCE)
    return found


def _value(log: Decisions, fault: str, row: int) -> str:
    if fault == REWARD:
        return f"reward {log.reward[row]}"
    if fault in (ACTION, INELIGIBLE):
        index = int(log.action[row])
        known = 0 <= index < log.n_actions
        return f"action {shown(log.actions[index] if known else index)}"
    return f"propensity {log.propensity[row]}"


def _check_shapes(log: Decisions) -> None:
    n, k = len(log.action), len(log.actions)
    if not k or len(set(log.actions)) != k:
        raise LogError(f"actions are {shown(log.actions)}: must be distinct, and at least one")
    if log.action.dtype.kind != "i":
        raise LogError(f"action is of {log.action.dtype}: must be positions in actions, integers")
    wanted: dict[str, tuple[npt.NDArray[Any] | None, tuple[int, ...]]] = {
        "action": (log.action, (n,)),
        "reward": (log.reward, (n,)),
        "propensity": (log.propensity, (n,)),
        "eligible": (log.eligible, (n, k)),
        "logging": (log.logging, (n, k)),
        "cluster": (log.cluster, (n,)),
        "position": (log.position, (n,)),
        "context": (log.context, (n, *log.context.shape[1:2])),
        **{f"label {name!r}": (values, (n,)) for name, values in log.labels.items()},
        **{f"target {name!r}": (values, (n, k)) for name, values in log.targets.items()},
    }
    if log.features is not None:
        wanted["features"] = (log.features, (n, k, *log.features.shape[2:3]))
    for name, (values, shape) in wanted.items():
        if values is not None and values.shape != shape:
            raise LogError(f"{name} has shape {values.shape}: must be {shape}")
