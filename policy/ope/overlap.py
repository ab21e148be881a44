"""How far a log and a policy overlap: the distribution of weights, and what each shows.

Beside ``policy.ope.diagnostics``, which says in a few numbers what is seen here at a glance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policy.errors import EvaluationError
from policy.ope.sample import sample_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from policy.ope.log import Array, Decisions
    from policy.ope.targets import Target

EDGES: Array = np.logspace(-2, 4, 49)
"""Of the bins of weights, eight to a power of ten; the outer bins take what is beyond."""


@dataclass(frozen=True, slots=True, eq=False)
class Overlap:
    """Of one policy; parts of a log add up.

    Args:
        n_rows: Rows of the log.
        zeros: Rows of weight 0: the policy would never have shown what was.
        counts: Rows of other weights in each bin of ``EDGES``, (n_bins,).
        weights: Sum of the weights in each bin, (n_bins,).
        shown: Sum of what the policy would show of each action, (n_actions,).
        logged: How often each was shown, (n_actions,).
    """

    n_rows: int
    zeros: int
    counts: Array
    weights: Array
    shown: Array
    logged: Array

    def merged(self, other: Overlap) -> Overlap:
        """That of both parts of a log."""
        return Overlap(
            self.n_rows + other.n_rows,
            self.zeros + other.zeros,
            self.counts + other.counts,
            self.weights + other.weights,
            self.shown + other.shown,
            self.logged + other.logged,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Overlaps:
    """Of all policies.

    Args:
        actions: Of the log.
        of: By the policy's name.
    """

    actions: tuple[str, ...]
    of: Mapping[str, Overlap]


def overlaps(chunks: Iterable[Decisions], targets: Mapping[str, Target]) -> Overlaps:
    """How a log and some policies overlap, from one pass.

    Args:
        chunks: The log's.
        targets: The policies by name.

    Raises:
        EvaluationError: A log without rows, or a policy that it cannot be asked about.

    Example:
        >>> from policy.ope.log import Decisions
        >>> from policy.ope.targets import Constant
        >>> log = Decisions(("a", "b"), np.array([0, 0, 1]), np.ones(3), np.full(3, 0.5))
        >>> found = overlaps([log], {"a": Constant("a")}).of["a"]
        >>> found.zeros, found.weights.sum(), found.shown, found.logged
        (1, np.float64(4.0), array([3., 0.]), array([2., 1.]))
    """
    actions: tuple[str, ...] = ()
    found: dict[str, Overlap] = {}
    for log in chunks:
        actions = log.actions
        for name, target in targets.items():
            one = _of(log, target)
            found[name] = found[name].merged(one) if name in found else one
    if not found:
        raise EvaluationError("the log has no rows: nothing overlaps with it")
    return Overlaps(actions, found)


def _of(log: Decisions, target: Target) -> Overlap:
    sample = sample_of(log, target.probabilities(log))
    some = sample.weight[sample.weight > 0.0]
    bins = np.clip(np.searchsorted(EDGES, some, side="right") - 1, 0, len(EDGES) - 2)
    n_bins = len(EDGES) - 1
    return Overlap(
        log.n_rows,
        log.n_rows - len(some),
        np.bincount(bins, minlength=n_bins).astype(np.float64),
        np.bincount(bins, some, n_bins).astype(np.float64),
        sample.target.sum(axis=0),
        np.bincount(log.action, minlength=log.n_actions).astype(np.float64),
    )
