"""The linear algebra under the linear models: rank-one updates and inverses, all symmetric.

Its bits must not depend on how many threads a process has: what is factorised runs on one.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy.linalg.blas import dger
from scipy.linalg.lapack import dpotrf, dpotri
from threadpoolctl import ThreadpoolController

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

Array = npt.NDArray[np.float64]


def spread_of(g: Array, x: Array) -> float:
    """x·Px for g = Px. Below 0 is rounding: that direction is known, g becomes 0 and adds nothing.

    Without this a covariance that lost its last digits would grow instead of shrink.
    """
    found = float(np.dot(g, x))
    if found < 0.0:
        g.fill(0.0)
        return 0.0
    return found


def add_outer(block: Array, q: Array, g: Array, weight: float = 1.0) -> None:
    """``block += weight q gᵀ``, several times faster than through ``numpy.multiply.outer``.

    Args:
        block: Contiguous, as BLAS would write into a copy of anything else, (n_rows, n_columns).
        q: (n_rows,).
        g: (n_columns,).
        weight: Of the product.

    Example:
        >>> block = np.zeros((2, 3))
        >>> add_outer(block, np.array([1.0, 2.0]), np.array([1.0, 0.0, 3.0]), 0.5)
        >>> block
        array([[0.5, 0. , 1.5],
               [1. , 0. , 3. ]])
    """
    if block.size:
        dger(weight, g, q, a=block.T, overwrite_x=1, overwrite_y=1, overwrite_a=1)


def add_scaled(block: Array, q: Array, g: Array, scale: float) -> None:
    """``block += q gᵀ / scale``, with the square root on both sides so that P stays symmetric."""
    if block.size:
        root = 1.0 / math.sqrt(scale)
        add_outer(block, q * root, g * root)


def inverse(matrix: Array, precisions: Array, scale: Array) -> Array:
    """Inverse of a positive definite matrix, symmetric to the bit.

    Through a Cholesky factor of the scaled matrix; where rounding has made it indefinite, through
    its eigenvalues, none below what the prior alone would leave.

    Args:
        matrix: (d, d), in exact numbers at least diag(precisions).
        precisions: The prior's, (d,).
        scale: Square roots of the diagonal that the rows have summed up to, (d,).
    """
    scaled = matrix / scale / scale[:, None]
    factor, fault = dpotrf(scaled, lower=1)
    if fault:
        values, vectors = np.linalg.eigh(scaled)
        least = float(np.minimum.reduce(precisions / scale**2))
        root = (vectors / np.sqrt(np.maximum(values, least))).T / scale
        return np.asarray(np.dot(root.T, root))
    lower, _ = dpotri(factor, lower=1)
    inverse: Array = np.tril(lower) + np.tril(lower, -1).T
    inverse /= scale * scale[:, None]
    return inverse


def one_thread() -> AbstractContextManager[Any]:
    """Limit BLAS and LAPACK to one thread; takes some 30 us.

    LAPACK splits a matrix by the number of threads, and sums in another order then. A model that
    the service learned on one thread would differ in its last digits from its replay on two.

    Example:
        >>> with one_thread():
        ...     np.linalg.inv(np.eye(2) * 2.0)
        array([[0.5, 0. ],
               [0. , 0.5]])
    """
    limited: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return limited


@cache
def _controller() -> Any:
    return ThreadpoolController()
