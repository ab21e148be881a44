"""What segments know about the future: spend and conversion after they were assigned.

Judged on what visitors did after the moment of assignment, never on the past that made the
segments: past spend "explains" itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Labels = npt.NDArray[np.intp]
    Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Value:
    """How much of the future the segments explain.

    Args:
        eta_squared: share of the variance of an outcome that lies between segments, 0 to 1.
        spread: mean outcome of the best segment over that of the worst; inf if that has none.
        calibration_error: mean over visitors of |outcome of their segment - outcome foreseen for
            it| over the mean outcome; None where nothing was foreseen. 0 is perfect.
    """

    eta_squared: float
    spread: float
    calibration_error: float | None


def future_value(labels: Labels, outcome: Floats, foreseen: Floats | None = None) -> Value:
    """Measures segments on an outcome.

    Args:
        labels: segment of each visitor, -1 (noise) being a group as any other, shape (n,).
        outcome: what they went on to spend, or 0/1 for whether they converted, shape (n,).
        foreseen: by segment with noise last, the mean outcome that its members had in a period
            before, shape (n_segments + 1,); for calibration.

    Example:
        >>> value = future_value(np.array([0, 0, 1, 1]), np.array([1.0, 3.0, 7.0, 9.0]))
        >>> round(value.eta_squared, 3), value.spread
        (0.9, 4.0)
    """
    means = group_means(labels, outcome)
    _, groups = np.unique(labels, return_inverse=True)
    sizes = np.bincount(groups)
    total = float(((outcome - outcome.mean()) ** 2).sum())
    between = float(((means - outcome.mean()) ** 2 * sizes).sum())
    worst = float(means.min())
    error = None
    if foreseen is not None:
        present = np.unique(labels)
        missed = np.abs(means - foreseen[present]) * sizes
        error = float(missed.sum() / len(labels) / max(outcome.mean(), 1e-12))
    return Value(
        eta_squared=between / total if total > 0.0 else 0.0,
        spread=float(means.max()) / worst if worst > 0.0 else np.inf,
        calibration_error=error,
    )


def left_out_errors(labels: Labels, outcome: Floats) -> Floats:
    """Squared error of foreseeing each visitor by the mean of the others of their segment.

    Unlike eta squared, which rises with every cut even if it is luck, these rise with it: what
    compares segmentations of different numbers of segments.

    Args:
        labels: segment of each visitor, shape (n,).
        outcome: shape (n,); alone in a segment, a visitor is foreseen by the mean of all others.

    Example:
        >>> left_out_errors(np.array([0, 0, 1, 1]), np.array([1.0, 2.0, 8.0, 8.0])).tolist()
        [1.0, 1.0, 0.0, 0.0]
    """
    _, groups = np.unique(labels, return_inverse=True)
    sizes, sums = np.bincount(groups)[groups], np.bincount(groups, outcome)[groups]
    everybody = (outcome.sum() - outcome) / max(len(outcome) - 1, 1)
    foreseen = np.where(sizes > 1, (sums - outcome) / np.maximum(sizes - 1, 1), everybody)
    errors: Floats = (outcome - foreseen) ** 2
    return errors


def group_means(labels: Labels, outcome: Floats) -> Floats:
    """Mean outcome of each label that occurs, in the order of the labels."""
    _, groups = np.unique(labels, return_inverse=True)
    means: Floats = np.bincount(groups, outcome) / np.bincount(groups)
    return means
