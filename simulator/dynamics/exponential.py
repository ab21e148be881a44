"""The exponential function out of additions and multiplications, for the same bits everywhere.

numpy's and LLVM's own differ in the last digit, from each other and from one processor to the
next, and one digit can turn a draw. IEEE 754 fixes the results of +, × and √, so a world that
uses nothing else gives the same life in numpy and in compiled code, at any batch size.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

LARGEST = 700.0
LOG2_E = 1.4426950408889634
# ln 2 in two parts; the first has zeros at its end, so that k times it is exact.
LN2_HIGH = 6.93147180369123816490e-01
LN2_LOW = 1.90821492927058770002e-10
# Added to a number within ±2^51, this leaves the nearest whole number in the lowest bits.
ROUND = 6755399441055744.0


def exp(x: Array) -> Array:
    """e^x, to 14 digits, with x cut off at ±700.

    x = k ln 2 + r with |r| at most ln 2 / 2; e^r by its Taylor polynomial of degree 11, whose
    error is below 1e-14; then k is added to the exponent bits.

    Args:
        x: (n,) or any other shape of at least one dimension.

    Example:
        >>> abs(exp(np.array([1.0])) / np.e - 1.0)[0] < 1e-14
        np.True_

    References:
        Cody, Waite. Software Manual for the Elementary Functions. Prentice-Hall 1980, chapter 6.
    """
    x = np.minimum(np.maximum(x, -LARGEST), LARGEST)
    rounded = x * LOG2_E + ROUND
    k = rounded - ROUND
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    # Shifting drops what is above the whole number; 1023 is the exponent's bias.
    return polynomial(r) * ((rounded.view(np.int64) + 1023) << 52).view(np.float64)


def polynomial(r: Array) -> Array:
    """Taylor's polynomial of e^r by Horner's rule; the same source is compiled for scalars."""
    p = 2.505210838544172e-08 * r + 2.755731922398589e-07
    p = p * r + 2.7557319223985893e-06
    p = p * r + 2.48015873015873e-05
    p = p * r + 1.984126984126984e-04
    p = p * r + 1.388888888888889e-03
    p = p * r + 8.333333333333333e-03
    p = p * r + 4.1666666666666664e-02
    p = p * r + 0.16666666666666666
    p = p * r + 0.5
    p = p * r + 1.0
    return p * r + 1.0
