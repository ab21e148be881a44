"""Bounds on the numbers that a policy takes in.

In front of every policy: what passes here cannot turn a score or a model into NaN or infinity.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from policy.errors import ParameterError, shown

if TYPE_CHECKING:
    from policy.errors import PolicyError

Floats = npt.NDArray[np.floating[Any]]

LARGEST_FEATURE = 1e6
"""Features are meant to be of order 1; beyond this their squares eat the digits of the rest."""

LARGEST_REWARD = 1e9


def bounded(
    name: str, values: npt.ArrayLike, shape: tuple[int, ...], bound: float, error: type[PolicyError]
) -> npt.NDArray[np.float64]:
    """The values as a contiguous float64 array, checked.

    Args:
        name: What an error message calls them.
        values: Array of real numbers of the given shape.
        shape: The only accepted shape.
        bound: Largest accepted magnitude.
        error: What to raise.

    Raises:
        PolicyError: ``error``, if the shape is another or a value is NaN, infinite or too large.

    Example:
        >>> from policy.errors import BatchError
        >>> bounded("rewards", [1, 0], (2,), LARGEST_REWARD, BatchError)
        array([1., 0.])
    """
    try:
        array = np.ascontiguousarray(values, dtype=np.float64)
    except (TypeError, ValueError) as cause:
        raise error(f"{name} must be an array of real numbers: {cause}") from None
    if array.shape != shape:
        raise error(f"{name} has shape {array.shape}: must be {shape}")
    # One BLAS call clears the usual case, since a sum of squares below bound**2 proves every entry;
    # NaN and infinity fail the comparison.
    if array.size and not np.vdot(array, array) <= bound * bound:
        _refuse_first_outlier(name, array, bound, error)
    return array


def _refuse_first_outlier(
    name: str, array: npt.NDArray[np.float64], bound: float, error: type[PolicyError]
) -> None:
    outliers = np.argwhere(~(np.abs(array) <= bound))
    if len(outliers):
        where = tuple(int(i) for i in outliers[0])
        index = ", ".join(map(str, where))
        raise error(
            f"{name}[{index}] is {float(array[where])}: must be a finite number within ±{bound:g}"
        )


def parameter(
    name: str, value: float, low: float, high: float = math.inf, *, open_high: bool = False
) -> float:
    """A policy's parameter as a float in its range.

    Args:
        name: Name of the parameter.
        value: What was given.
        low: Smallest accepted value.
        high: Largest accepted value; infinity itself is never accepted.
        open_high: Whether ``high`` itself is refused.

    Raises:
        ParameterError: The value is no number or out of range.

    Example:
        >>> parameter("epsilon", 0.1, 0.0, 1.0)
        0.1
    """
    rule = f"must be a number of at least {low:g}"
    if math.isfinite(high):
        rule += f" and {'below' if open_high else 'at most'} {high:g}"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ParameterError(f"{name} is {shown(value)}: {rule}")
    inside = low <= value < high if open_high or high == math.inf else low <= value <= high
    if not inside:
        raise ParameterError(f"{name} is {shown(value)}: {rule}")
    return float(value)


def whole_parameter(name: str, value: int, low: int, high: int) -> int:
    """A policy's parameter as a whole number from ``low`` to ``high``.

    Raises:
        ParameterError: The value is no whole number or out of range.

    Example:
        >>> whole_parameter("n_context", 30, 1, 10_000)
        30
    """
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        rule = f"must be a whole number from {low} to {high}"
        raise ParameterError(f"{name} is {shown(value)}: {rule}")
    return value
