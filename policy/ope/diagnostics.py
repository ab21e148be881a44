"""Whether a log can answer a question at all, and why not.

Beside the estimates: an estimate is shown only with its diagnosis.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from policy.ope.log import Array
    from policy.ope.sample import Sample
    from policy.ope.tally import Tally

FEWEST_EFFECTIVE = 50.0
LARGEST_SHARE = 0.1
LARGEST_UNSUPPORTED = 0.01
WEIGHT_TOLERANCE, WEIGHT_ERRORS = 0.05, 4.0


def overlap_columns(sample: Sample) -> Array:
    """What a diagnosis is made of, (n, 4): weight, unsupported, certain, a choice.

    Args:
        sample: With the logging probability of every action, the target's mass on what the log
            could not have shown is exact; otherwise it is taken for 0 and shows in the mean weight.
    """
    log = sample.log
    unsupported = np.zeros(log.n_rows)
    if log.logging is not None:
        unsupported = np.einsum("ij,ij->i", sample.target, (log.logging == 0.0).astype(np.float64))
    several = log.could_show.sum(axis=1) > 1
    return np.column_stack((sample.weight, unsupported, several & (log.propensity == 1.0), several))


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """How well a log covers a target policy.

    Args:
        n_rows: Rows of the log.
        effective_rows: (sum of weights)² / sum of squared weights: rows of a log written by the
            target itself that would tell as much.
        largest_weight: Of one row.
        mean_weight: 1 but for chance, if the propensities are right and nothing lacks support.
        weight_error: Standard error of that.
        unsupported: Share of what the target shows that the log could not have shown.
        certain: Of the rows with several eligible actions, the share shown with probability 1.
        reasons: Why the log cannot answer; empty where it can.

    Example:
        >>> from policy.ope.log import Decisions
        >>> from policy.ope.sample import sample_of
        >>> from policy.ope.tally import Tally, buckets
        >>> log = Decisions(("a", "b"), np.zeros(99, int), np.ones(99), np.ones(99))
        >>> sample = sample_of(log, np.tile([0.0, 1.0], (99, 1)))
        >>> found = diagnosis(Tally.of(overlap_columns(sample), buckets(log)))
        >>> found.answerable, len(found.reasons)
        (False, 2)
    """

    n_rows: int
    effective_rows: float
    largest_weight: float
    mean_weight: float
    weight_error: float
    unsupported: float
    certain: float
    reasons: tuple[str, ...]

    @property
    def answerable(self) -> bool:
        """Whether an estimate can be trusted to its interval."""
        return not self.reasons


def diagnosis(tally: Tally) -> Diagnosis:
    """The diagnosis of a tally of ``overlap_columns``."""
    n_rows = tally.n_rows
    if not n_rows:
        return Diagnosis(0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, ("the log has no rows",))
    mean_weight, unsupported, certain, several = (float(mean) for mean in tally.means)
    total, squares = mean_weight * n_rows, float(tally.squares[0, 0])
    found = Diagnosis(
        n_rows,
        total**2 / squares if squares else 0.0,
        float(tally.largest[0]),
        mean_weight,
        tally.standard_error(np.eye(4)[0]),
        unsupported,
        certain / several if several else 0.0,
        (),
    )
    return replace(found, reasons=tuple(_reasons(found, total)))


def _reasons(found: Diagnosis, total: float) -> list[str]:
    reasons = []
    # Without exploration only a target that does the same can be judged.
    if found.certain == 1.0 and found.mean_weight < 1.0:
        reasons.append(
            "every action was shown with probability 1: the log was written without exploration "
            "and tells nothing of any other policy"
        )
    if found.effective_rows < FEWEST_EFFECTIVE:
        reasons.append(
            f"{found.effective_rows:.0f} effective rows of {found.n_rows}: at least "
            f"{FEWEST_EFFECTIVE:.0f} are needed; log longer, or explore more"
        )
    elif found.largest_weight > LARGEST_SHARE * total:
        reasons.append(
            f"one row carries {found.largest_weight / total:.0%} of the weight: at most "
            f"{LARGEST_SHARE:.0%} may; log longer, or raise the exploration floor"
        )
    if found.unsupported > LARGEST_UNSUPPORTED:
        reasons.append(
            f"{found.unsupported:.1%} of what the policy shows has logging probability 0: at most "
            f"{LARGEST_UNSUPPORTED:.0%} may; log with an exploration floor"
        )
    elif _weights_off(found) and not reasons:
        reasons.append(
            f"weights are {found.mean_weight:.3f} ± {found.weight_error:.3f} on average and should "
            "be 1: propensities are not those that the log was written with, or lack support"
        )
    return reasons


def _weights_off(found: Diagnosis) -> bool:
    off = abs(found.mean_weight - 1.0)
    return off > max(WEIGHT_TOLERANCE, WEIGHT_ERRORS * found.weight_error)
