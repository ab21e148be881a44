"""JSON of any nesting as a fixed number of features, by signed hashing.

In front of ``policy.encoder``, for features that nobody declared: a client that sends what it knows
of a visitor or an action needs no schema, and the policy a vector whose length never changes.
"""

from __future__ import annotations

import math
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from policy.bounds import LARGEST_FEATURE
from policy.errors import ContextError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from policy.encoder import Vector

MOST_HASHED = 128
"""Features that JSON may be hashed into: a linear policy's work grows with their square."""

MOST_LEAVES = 1_000
"""Values that one piece of JSON may hold."""

LONGEST_REMEMBERED = 200
_SEPARATOR = "\x1f"


def hashed_names(n_features: int) -> tuple[str, ...]:
    """Names of the features that JSON is hashed into.

    Example:
        >>> hashed_names(2)
        ('hashed_0', 'hashed_1')
    """
    return tuple(f"hashed_{i}" for i in range(n_features))


class FeatureHasher:
    """Hashes JSON into ``n_features`` numbers.

    Every leaf is one feature, named by its path. A text, and each text of a list, is a feature of
    its own that is 1 (``colour=red``); a number x counts as asinh(x), which leaves small ones
    nearly as they are and makes a price of 500 a 7; true is 1; false, null and nothing at all are
    0. Numbers of a list are told apart by their position, objects of a list are taken as one
    object. A feature f is added at one place with a sign of its own:

        v[h(f) mod n] += s(f) x(f)

    Two features collide with probability 1 / n: they then share an entry, with the same or with the
    opposite sign. The signs make inner products right on average, E[v(a)·v(b)] = a·b, with a
    variance of about |a|²|b|² / n; so a policy loses resolution with too few entries, and never
    sees a bias. Choose n at least as large as the number of features that matter.

    Args:
        n_features: Length of the result, 1 to 128.
        namespace: Two hashers of different namespaces hash independently.

    Raises:
        ParameterError: ``n_features`` is out of its range.

    Example:
        >>> hasher = FeatureHasher(8, "context")
        >>> hasher.encode([{"device": {"kind": "mobile"}, "cart": 0}])
        array([ 0.,  0.,  0.,  0.,  0.,  0.,  0., -1.], dtype=float32)

    References:
        Weinberger, Dasgupta, Langford, Smola, Attenberg. Feature Hashing for Large Scale Multitask
        Learning. ICML 2009.
    """

    def __init__(self, n_features: int, namespace: str) -> None:
        if not 1 <= n_features <= MOST_HASHED:
            raise ParameterError(f"n_features is {n_features}: must be from 1 to {MOST_HASHED}")
        self.n_features = n_features
        self._root = namespace

    def encode(self, features: Sequence[Any] | Mapping[str, Any]) -> Vector:
        """The features of a piece of JSON.

        Args:
            features: As parsed: an object, or a list of them.

        Returns:
            (n_features,).

        Raises:
            ContextError: A number that is not finite, or more than 1,000 values.
        """
        total = np.zeros(self.n_features)
        for n_leaves, (name, value) in enumerate(_leaves(self._root, features)):
            if n_leaves >= MOST_LEAVES:
                raise ContextError(_path(name), value, f"is one of over {MOST_LEAVES} values")
            place, sign = divmod(_hash(name), 2)
            total[place % self.n_features] += value if sign else -value
        return total.astype(np.float32)


def _leaves(path: str, value: Any) -> Iterator[tuple[str, float]]:
    """Name and number of every leaf that is not 0."""
    if isinstance(value, str):
        yield f"{path}={value}", 1.0
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(f"{path}{_SEPARATOR}{key}", inner)
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            apart = isinstance(inner, int | float | list)
            yield from _leaves(f"{path}[{index}]" if apart else path, inner)
    elif value:
        yield path, _scaled(path, value)


def _scaled(path: str, value: Any) -> float:
    try:
        scaled = 1.0 if value is True else math.asinh(value)
    except (TypeError, OverflowError):
        scaled = math.nan
    if not abs(scaled) * MOST_LEAVES <= LARGEST_FEATURE:
        raise ContextError(_path(path), value, "must be a finite number")
    return scaled


def _path(name: str) -> str:
    """As an error message shows it, without the namespace."""
    _, _, path = name.partition(_SEPARATOR)
    return path.replace(_SEPARATOR, ".") or "features"


def _hash(name: str) -> int:
    return _remembered(name) if len(name) <= LONGEST_REMEMBERED else _digest(name)


def _digest(name: str) -> int:
    data = name.encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "little")


_remembered = lru_cache(32_768)(_digest)


def circulant(n_features: int) -> npt.NDArray[np.intp]:
    """Positions with which ``a @ c[circulant(n)]`` hashes all products of a's leaves with c's.

    The product of features f and g, hashed to h(f) + h(g) mod n with the sign s(f) s(g), is the
    circular convolution of the two hashes: nothing has to be enumerated.

    Args:
        n_features: Length of both hashes.

    Returns:
        Integers, (n_features, n_features).

    Example:
        >>> np.array([0, 1, 0]) @ np.array([0, 0, 1])[circulant(3)]
        array([1, 0, 0])

    References:
        Pham, Pagh. Fast and Scalable Polynomial Kernels via Explicit Feature Maps. KDD 2013.
    """
    steps = np.arange(n_features, dtype=np.intp)
    return (steps[None, :] - steps[:, None]) % n_features
