"""What exploration a question needs: how many days, with which floor, for a wanted width.

Behind a refusal: what to change so that the log can answer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from policy.bounds import parameter
from policy.errors import EvaluationError
from policy.ope.intervals.base import checked_level
from policy.ope.tally import Tally, buckets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy.ope.log import Array
    from policy.ope.sample import Sample

FLOORS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Step:
    """One way to explore.

    Args:
        floor: Share of decisions spread evenly over the eligible actions.
        row_deviation: Standard deviation of a row's part of the IPS estimate, in units of reward.
        n_rows: Rows until the interval is as narrow as wanted; infinite where none are enough.
        n_days: The same in days.
    """

    floor: float
    row_deviation: float
    n_rows: float
    n_days: float


def plan_columns(sample: Sample, floors: Sequence[float] = FLOORS) -> Array:
    """Squares of the IPS terms under a log with each floor, (n, 1 + n_floors); first the terms.

        p_f = (1 - f) p + f / n_eligible,   E_f[(w_f r)²] = E[ target² r² / (p_f p) ]

    Args:
        sample: Of the log as it is. What it never shows it tells nothing of: with a logging
            probability of 0 somewhere the floor must be planned from a log that has one.
        floors: In [0, 1].
    """
    log = sample.log
    n_eligible = log.could_show.sum(axis=1)
    shown = log.taken(sample.target)
    terms = sample.weight * log.reward
    second = [
        shown * terms * log.reward / ((1.0 - floor) * log.propensity + floor / n_eligible)
        for floor in floors
    ]
    return np.column_stack((terms, *second))


def plan(
    tally: Tally,
    half_width: float,
    rows_a_day: float,
    *,
    level: float = 0.95,
    floors: Sequence[float] = FLOORS,
) -> tuple[Step, ...]:
    """How long each floor takes, the smallest floor first.

    Args:
        tally: Of ``plan_columns`` with the same floors.
        half_width: Wanted, in units of reward, above 0.
        rows_a_day: Decisions a day, above 0.
        level: Of the interval, in (0, 1).
        floors: As for the tally.

    Raises:
        ParameterError: A width or a traffic that is not positive.
        EvaluationError: A tally of other floors, or of no rows.

    Example:
        >>> from policy.ope.log import Decisions
        >>> from policy.ope.sample import sample_of
        >>> rows = np.arange(1000)
        >>> log = Decisions(("a", "b"), (rows % 10 == 0) * 1, (rows % 20 == 0) * 1.0,
        ...                 np.where(rows % 10 == 0, 0.1, 0.9))
        >>> sample = sample_of(log, np.tile([0.0, 1.0], (1000, 1)))
        >>> steps = plan(plan_of(sample), half_width=0.05, rows_a_day=1000)
        >>> [(step.floor, round(step.n_days, 1)) for step in steps[::3]]
        [(0.0, 7.3), (0.05, 6.0), (0.5, 2.2)]
    """
    parameter("half_width", half_width, 1e-300)
    parameter("rows_a_day", rows_a_day, 1e-300)
    if tally.sums.shape[1] != 1 + len(floors) or not tally.n_rows:
        raise EvaluationError(
            f"a tally of {tally.n_rows} rows and {tally.sums.shape[1] - 1} floors: must be of some "
            f"rows and {len(floors)}"
        )
    quantile = float(ndtri(0.5 + checked_level(level) / 2.0))
    value, *seconds = tally.means
    steps = []
    for floor, second in zip(floors, seconds, strict=True):
        deviation = math.sqrt(max(float(second - value**2), 0.0))
        n_rows = math.ceil((quantile * deviation / half_width) ** 2)
        steps.append(Step(float(floor), deviation, n_rows, n_rows / rows_a_day))
    return tuple(steps)


def plan_of(sample: Sample, floors: Sequence[float] = FLOORS) -> Tally:
    """The tally of one chunk's ``plan_columns``."""
    return Tally.of(plan_columns(sample, floors), buckets(sample.log))
