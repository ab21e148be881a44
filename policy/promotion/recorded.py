"""What a policy would have earned, from the probability that was logged of it with each decision.

Beside the gate: a shadow is never shown, but where the log could have shown what it would, the log
tells. An estimate to be looked at once, with its diagnosis; the gate's bounds hold at any time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policy.errors import LogError
from policy.ope.diagnostics import diagnosis
from policy.ope.estimators.base import Estimator
from policy.ope.estimators.snips import SNIPS
from policy.ope.intervals.skewed import skewed
from policy.ope.tally import N_BUCKETS, Tally, merge

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policy.ope.diagnostics import Diagnosis
    from policy.ope.intervals.base import Interval
    from policy.ope.log import Array
    from policy.ope.sample import Sample

_OWN, _BOTH, _OVERLAP = slice(0, 2), slice(0, 4), slice(4, 8)


class Beyond(Estimator):
    """The difference of two self-normalised values on the same rows.

        V = sum w r / sum w  -  sum w' r / sum w'

    Its columns are made by ``recorded``.
    """

    name: str = "snips difference"
    n_columns = 4

    def columns(self, sample: Sample) -> Array:
        """Not of a sample: both weights come from the log."""
        raise NotImplementedError("columns come from policy.promotion.recorded.recorded")

    def value(self, means: Array) -> float:
        """The first ratio less the second; NaN where a weight is 0 everywhere."""
        if not (means[1] and means[3]):
            return float("nan")
        return float(means[0] / means[1] - means[2] / means[3])

    def gradient(self, means: Array) -> Array:
        """By the quotient rule, of both."""
        if not (means[1] and means[3]):
            return np.full(4, np.nan)
        own = np.array([1.0, -means[0] / means[1]]) / means[1]
        other = np.array([1.0, -means[2] / means[3]]) / means[3]
        gradient: Array = np.concatenate((own, -other))
        return gradient


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the log says of a policy.

    Args:
        value: What it would have earned a decision (self-normalised importance weights).
        interval: Of that, for one look.
        advantage: What that is beyond the champion.
        advantage_interval: Of that, for one look.
        diagnosis: Whether the log can tell at all.
    """

    value: float
    interval: Interval
    advantage: float
    advantage_interval: Interval
    diagnosis: Diagnosis


def recorded(
    own: Array, champion: Array, propensity: Array, reward: Array, first_row: int = 0
) -> Tally:
    """The sums of some rows, to be merged with others and judged.

    Args:
        own: Probability of what was shown by the policy, (n,).
        champion: By the champion of the time, (n,).
        propensity: With which it was shown, above 0, (n,).
        reward: What it earned, (n,).
        first_row: Number of the first of them.

    Raises:
        LogError: A propensity that is not above 0.
    """
    if len(propensity) and not propensity.min() > 0.0:
        raise LogError(f"propensity of {propensity.min()}: must be above 0")
    weight, theirs = own / propensity, champion / propensity
    columns = np.column_stack(
        (
            weight * reward,
            weight,
            theirs * reward,
            theirs,
            weight,
            np.zeros(len(own)),
            (propensity == 1.0) & (own < 1.0),
            np.ones(len(own)),
        )
    )
    return Tally.of(columns, (first_row + np.arange(len(own))) % N_BUCKETS)


def judged(tallies: Iterable[Tally], level: float = 0.95) -> Judgement:
    """What the rows say.

    Args:
        tallies: From ``recorded``, at least one.
        level: Of the intervals, in (0, 1).

    Example:
        >>> rng = np.random.default_rng(0)
        >>> shown = rng.random(4_000) < 0.5
        >>> reward = (rng.random(4_000) < np.where(shown, 0.4, 0.2)).astype(float)
        >>> half = np.full(4_000, 0.5)
        >>> found = judged([recorded(np.where(shown, 1.0, 0.0), half, half, reward)])
        >>> found.interval.holds(0.4), found.advantage_interval.holds(0.1)
        (True, True)
    """
    tally = merge(tallies)
    own, both = _part(tally, _OWN), _part(tally, _BOTH)
    ratio, beyond = SNIPS(), Beyond()
    return Judgement(
        ratio.value(own.means),
        skewed(ratio, own, level),
        beyond.value(both.means),
        skewed(beyond, both, level),
        diagnosis(_part(tally, _OVERLAP)),
    )


def _part(tally: Tally, columns: slice) -> Tally:
    """The tally of some of the columns."""
    return Tally(
        tally.counts,
        tally.sums[:, columns],
        tally.squares[columns, columns],
        tally.smallest[columns],
        tally.largest[columns],
    )
