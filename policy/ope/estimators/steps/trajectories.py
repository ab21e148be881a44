"""What visitors were shown one step after another, seen from one target policy.

Between a log whose clusters are visitors or sessions and the estimators of several steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policy.errors import EvaluationError

if TYPE_CHECKING:
    from policy.ope.log import Array, Bools, Ints
    from policy.ope.sample import Sample


@dataclass(frozen=True, slots=True, eq=False)
class Trajectories:
    """Sequences of decisions, filled up to the longest.

    Args:
        ratio: Weight of each step by itself, target / propensity; 1 after the end, (n, n_steps).
        reward: What each step earned; 0 after the end, (n, n_steps).
        present: Whether there was such a step, (n, n_steps).
        state: Number of the state that each step was decided in, from 0; any after the end,
            (n, n_steps). None where states are not told apart.

    Raises:
        EvaluationError: Shapes that differ.

    Example:
        >>> one = Trajectories(np.array([[2.0, 0.5]]), np.ones((1, 2)), np.ones((1, 2), bool))
        >>> one.prefix
        array([[2., 1.]])
    """

    ratio: Array
    reward: Array
    present: Bools
    state: Ints | None = None

    def __post_init__(self) -> None:
        for name in ("reward", "present", "state"):
            values = getattr(self, name)
            if values is not None and values.shape != self.ratio.shape:
                raise EvaluationError(
                    f"{name} has shape {values.shape}: must be {self.ratio.shape}"
                )

    @property
    def n_steps(self) -> int:
        """Of the longest sequence."""
        return int(self.ratio.shape[1])

    @property
    def prefix(self) -> Array:
        """Weight of all steps up to each, (n, n_steps)."""
        return self.ratio.cumprod(axis=1)


def trajectories_of(sample: Sample, n_steps: int, state: Ints | None = None) -> Trajectories:
    """The first steps of every cluster of a log, in the order of its rows.

    Args:
        sample: Of a log with clusters; every cluster's rows are in it.
        n_steps: How many to look at; what comes later is left out.
        state: Number of the state that each row was decided in, (n_rows,).

    Raises:
        EvaluationError: A log without clusters.

    Example:
        >>> from policy.ope.log import Decisions
        >>> from policy.ope.sample import sample_of
        >>> rows = np.zeros(3, int)
        >>> log = Decisions(("a",), rows, np.arange(3.0), np.ones(3), cluster=np.array([7, 9, 7]))
        >>> trajectories_of(sample_of(log, np.ones((3, 1))), 2).reward
        array([[0., 2.],
               [1., 0.]])
    """
    log = sample.log
    if log.cluster is None:
        raise EvaluationError("the log has no clusters: whose steps belong together is not known")
    _, who = np.unique(log.cluster, return_inverse=True)
    order = np.argsort(who, kind="stable")
    starts = np.concatenate(([0], np.cumsum(np.bincount(who))[:-1]))
    step = np.empty(log.n_rows, np.int64)
    step[order] = np.arange(log.n_rows) - starts[who[order]]
    kept = step < n_steps
    cells = (who[kept], step[kept])
    shape = (len(starts), n_steps)
    ratio, reward, present = np.ones(shape), np.zeros(shape), np.zeros(shape, np.bool_)
    ratio[cells], reward[cells], present[cells] = sample.weight[kept], log.reward[kept], True
    states = None
    if state is not None:
        states = np.zeros(shape, np.int64)
        states[cells] = state[kept]
    return Trajectories(ratio, reward, present, states)
