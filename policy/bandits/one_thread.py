"""Linear algebra on one thread: its bits must not depend on how many a process has.

Around whatever a policy factorises; products of a matrix with a vector need it not.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

# The controller finds only libraries that are loaded.
import numpy as np  # noqa: F401
import scipy.linalg.lapack  # noqa: F401
from threadpoolctl import ThreadpoolController

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


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
