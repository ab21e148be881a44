"""Stable short names for strings: the same in every process, version and machine.

Profiles keep 8 bytes a category instead of its text; Python's own `hash` changes every start.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import Final

_CACHED: Final = 65_536


def hash64(text: str) -> int:
    """A 64-bit hash of the text, in 0..2^64-1; about 1 us.

    Example:
        >>> hash64("Coffee") == hash64("Coffee") != hash64("coffee")
        True
    """
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


@lru_cache(maxsize=_CACHED)
def value_hash(value: str) -> int:
    """`hash64` for categories and brands, of which a shop has few: remembered."""
    return hash64(value)


@lru_cache(maxsize=1_024)
def value_hashes(values: tuple[str, ...]) -> tuple[int, ...]:
    """`value_hash` of each; a catalog asks for the same tuple on every decision."""
    return tuple(map(value_hash, values))
