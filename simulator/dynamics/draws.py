"""Random numbers by counter: the draw of (seed, shopper, day, purpose) is a function of these four.

So nothing has to be stored to restart, two policies meet the same luck (common random numbers),
and a shopper's draws do not depend on who else is simulated beside them.

Each (seed, shopper) owns a SplitMix64 sequence, and (day, purpose) is a position in it:

    key      = mix(mix(seed) ⊕ mix(shopper · γ + γ))
    word     = mix(key + (day · N + purpose / 2 + 1) · γ)        γ = 0x9E3779B97F4A7C15
    uniforms = its upper and its lower 32 bits, each divided by 2^32

References:
    Salmon, Moraes, Dror, Shaw. Parallel Random Numbers: As Easy as 1, 2, 3. SC 2011.
    Steele, Lea, Flood. Fast Splittable Pseudorandom Number Generators. OOPSLA 2014.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Words = npt.NDArray[np.uint64]

GAMMA = np.uint64(0x9E3779B97F4A7C15)
MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
MIX_2 = np.uint64(0x94D049BB133111EB)
SHIFT_1, SHIFT_2, SHIFT_3 = np.uint64(30), np.uint64(27), np.uint64(31)
UPPER, MANTISSA = np.uint64(20), np.uint64(12)
UPPER_BITS = np.uint64(0xFFFFFFFF << 20)
ONE_BITS = np.uint64(0x3FF0000000000000)


def mix(word: Words) -> Words:
    """SplitMix64's finaliser: a bijection in which every input bit moves every output bit."""
    word = (word ^ (word >> SHIFT_1)) * MIX_1
    word = (word ^ (word >> SHIFT_2)) * MIX_2
    return word ^ (word >> SHIFT_3)


def unit(word: Words) -> Array:
    """Bits 20 to 51 as a number on [0, 1): they become the digits of one on [1, 2), less 1."""
    return ((word & UPPER_BITS) | ONE_BITS).view(np.float64) - 1.0


def shopper_keys(seed: int, shoppers: npt.NDArray[np.int64]) -> Words:
    """Where each shopper's own sequence begins.

    Args:
        seed: At least 0 and below 2^63.
        shoppers: Ids, each at least 0, (n,).

    Example:
        >>> keys = shopper_keys(7, np.arange(3))
        >>> bool((shopper_keys(7, np.array([2])) == keys[2:]).all())
        True
    """
    ids = np.asarray(shoppers).astype(np.uint64)
    return mix(mix(np.full(ids.shape, seed, np.uint64)) ^ mix(ids * GAMMA + GAMMA))


def uniforms(
    keys: Words, days: npt.NDArray[np.int64], n_purposes: int, out: Array | None = None
) -> Array:
    """The draws of one day each, on [0, 1) in steps of 2^-32.

    Args:
        keys: From ``shopper_keys``, (n,).
        days: At least 0, (n,).
        n_purposes: An even number.
        out: Where to write, (n_purposes, n); None for a new array.

    Returns:
        (n_purposes, n).

    Example:
        >>> uniforms(shopper_keys(7, np.array([5])), np.array([0]), 4).shape
        (4, 1)
    """
    n_words = n_purposes // 2
    start = keys + days.astype(np.uint64) * _times_gamma(n_words)
    drawn = np.empty((n_purposes, len(keys))) if out is None else out
    for word in range(n_words):
        bits = mix(start + _times_gamma(word + 1))
        drawn[2 * word] = unit(bits >> MANTISSA)
        drawn[2 * word + 1] = unit(bits << UPPER)
    return drawn


def uniforms_of_one(key: np.uint64, day: int, n_purposes: int) -> list[float]:
    """``uniforms`` of one shopper's day: the words side by side instead of the shoppers.

    Example:
        >>> key = shopper_keys(7, np.array([5]))
        >>> uniforms_of_one(key[0], 3, 4) == uniforms(key, np.array([3]), 4)[:, 0].tolist()
        True
    """
    n_words = n_purposes // 2
    start = np.uint64((int(key) + day * n_words * int(GAMMA)) % 2**64)
    bits = mix(start + _steps(n_words))
    drawn = np.empty((n_words, 2))
    drawn[:, 0] = unit(bits >> MANTISSA)
    drawn[:, 1] = unit(bits << UPPER)
    values: list[float] = drawn.ravel().tolist()
    return values


@lru_cache(8)
def _steps(n_words: int) -> Words:
    return np.arange(1, n_words + 1, dtype=np.uint64) * GAMMA


def _times_gamma(factor: int) -> np.uint64:
    return np.uint64(factor * int(GAMMA) % 2**64)
