"""What an evaluation found: estimates with their diagnoses, policy by policy and group by group.

Behind ``policy.ope.evaluate`` and ``policy.ope.prices.evaluate``; figures and reports read it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from policy.errors import EvaluationError, shown, suggestion
from policy.ope.intervals.base import Interval, value_and_error
from policy.ope.intervals.skewed import skewed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from policy.ope.diagnostics import Diagnosis
    from policy.ope.estimators.base import Functional
    from policy.ope.log import Ints
    from policy.ope.tally import Tally

OVERALL = "overall"


class Group(NamedTuple):
    """The rows of a label's value; all rows under ``OVERALL``."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a policy would have earned a decision.

    Args:
        estimator: Its name.
        value: The estimate.
        error: Its standard error; NaN where unknown. Of ``blended``, that of its unbiased part.
        interval: By the skewness-corrected method, of the same; of a biased estimator (replay, the
            direct method, and those tuned on the same log) it tells of chance only, not of bias.
    """

    estimator: str
    value: float
    error: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Result:
    """What the log says of one policy on one group of rows.

    Args:
        policy: Its name.
        group: Which rows.
        estimates: The one to read first.
        diagnosis: Whether to read them at all.
        always: Of the average over the rows so far, an interval that holds at any time one cares to
            look, for the rows in their order and however that average drifts; None without a range
            of rewards, and for groups.
        advantage: What the policy earns beyond the baseline, doubly robust on the same rows; its
            interval is corrected for the number of policies that were tried. None without a
            baseline, and for the baseline itself.
    """

    policy: str
    group: Group
    estimates: tuple[Estimate, ...]
    diagnosis: Diagnosis
    always: Interval | None = None
    advantage: Estimate | None = None

    @property
    def best(self) -> Estimate:
        """The estimate to read."""
        return self.estimates[0]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All results: for each policy the overall one, then those of its groups.

    Args:
        n_rows: Rows of the log that were used.
        mean_reward: What the log's own policy earned a decision.
        results: In the order of the policies.
        warnings: What all of them presume and the log cannot show; empty where nothing.
    """

    n_rows: int
    mean_reward: float
    results: tuple[Result, ...]
    warnings: tuple[str, ...] = ()

    def of(self, policy: str, label: str = OVERALL, value: str = OVERALL) -> Result:
        """One result.

        Raises:
            EvaluationError: There is none like that.
        """
        for result in self.results:
            if result.policy == policy and result.group == (label, value):
                return result
        raise EvaluationError(f"no result of {shown(policy)} for {label} {shown(value)}")


def estimate_of(functional: Functional, tally: Tally, level: float) -> Estimate:
    """The estimate that a tally of its columns gives, once its own parameter is chosen.

    Args:
        functional: The estimator.
        tally: Of its columns.
        level: Of the interval, in (0, 1).
    """
    settled = functional.settled(tally)
    trusted = settled.trusted()
    _, error = value_and_error(trusted, tally)
    value = settled.value(tally.means)
    return Estimate(functional.name, value, error, skewed(trusted, tally, level))


def groups_of(
    labels: Mapping[str, np.ndarray], by: tuple[str, ...]
) -> Iterator[tuple[Group, Ints]]:
    """The values of some labels, each with the positions of its rows.

    Args:
        labels: Of the rows, each (n,).
        by: Which to tell apart.

    Raises:
        EvaluationError: The log lacks one; the nearest is named.

    Example:
        >>> [(group.value, rows.tolist()) for group, rows in
        ...  groups_of({"day": np.array(["mon", "tue", "mon"])}, ("day",))]
        [('mon', [0, 2]), ('tue', [1])]
    """
    for label in by:
        if label not in labels:
            raise EvaluationError(
                f"results by {shown(label)}: the log lacks it; {suggestion(label, labels)}"
            )
        values, places = np.unique(labels[label].astype(str), return_inverse=True)
        for number, value in enumerate(values):
            yield Group(label, str(value)), np.flatnonzero(places == number)
