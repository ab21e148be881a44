"""Rows that nothing can be estimated from: refused, or left out and counted. Never silently.

Between a format's raw columns and ``Decisions``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from policy.errors import EvaluationError, shown
from policy.ope.log import Decisions, faults

if TYPE_CHECKING:
    from policy.ope.log import Bools

OnFault = Literal["refuse", "exclude"]


@dataclass(slots=True)
class Screen:
    """Builds ``Decisions`` chunk by chunk and remembers what was left out.

    Args:
        on_fault: ``refuse`` raises at the first row that cannot be used, ``exclude`` leaves such
            rows out and counts them by the rule that they break.

    Raises:
        EvaluationError: Another ``on_fault``.

    Example:
        >>> screen = Screen("exclude")
        >>> log = screen.decisions(
        ...     actions=("a",), action=np.array([0, 0]), reward=np.array([1.0, np.nan]),
        ...     propensity=np.array([1.0, 1.0]))
        >>> log.n_rows, dict(screen.excluded)
        (1, {'reward must be a finite number': 1})
    """

    on_fault: OnFault = "refuse"
    n_seen: int = 0
    excluded: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        if self.on_fault not in ("refuse", "exclude"):
            raise EvaluationError(
                f"on_fault is {shown(self.on_fault)}: must be 'refuse' or 'exclude'"
            )

    def decisions(self, **columns: Any) -> Decisions:
        """The next rows of the log.

        Args:
            **columns: The fields of ``Decisions`` but ``first_row``.

        Raises:
            LogError: With ``refuse``, a row that cannot be used; always, a shape that does not fit.
        """
        first_row = self.n_seen - sum(self.excluded.values())
        self.n_seen += len(columns["action"])
        if self.on_fault == "refuse":
            return Decisions(**columns, first_row=first_row)
        raw = object.__new__(Decisions)
        for name, default in _DEFAULTS.items():
            object.__setattr__(raw, name, columns.get(name, default))
        keep = np.ones(len(raw.action), np.bool_)
        for fault, rows in faults(raw).items():
            self.excluded[fault] += int((rows & keep).sum())
            keep &= ~rows
        self.excluded = +self.excluded
        return Decisions(**_kept(columns, keep), first_row=first_row)


_DEFAULTS: dict[str, Any] = {
    "actions": (),
    "action": None,
    "reward": None,
    "propensity": None,
    "eligible": None,
    "logging": None,
}


def _kept(columns: dict[str, Any], keep: Bools) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, values in columns.items():
        if name in ("labels", "targets"):
            kept[name] = {key: of_rows[keep] for key, of_rows in values.items()}
        else:
            kept[name] = values[keep] if isinstance(values, np.ndarray) else values
    return kept
