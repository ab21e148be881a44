"""One visitor's state, and its bytes.

A profile rests as one immutable `bytes` and is unpacked only while an event is folded in or a
context is read. So a million of them cost their payload and nothing else, the garbage collector
does not see them, a reader in another thread never meets a half-updated one, and what is saved
to disk is what is in memory.

Layout, little-endian: version u8, numbers of categories, brands, consents and remembered ids u8,
numbers of columns and session values u16, dropped sessions u32, fingerprint of the columns' names
u32, seq u64; then columns f64, sessions f64, category hashes u64 and weights f64, brand hashes u64
and weights f64, consent hashes u64 and moments f64, remembered ids u64.
"""

from __future__ import annotations

import struct
from array import array
from typing import Final

from segments.consent import Consents
from segments.errors import ProfileError
from segments.sessions import Sessions
from segments.tally import MAX_BRANDS, MAX_CATEGORIES, Tally

VERSION: Final = 2
MAX_RECENT: Final = 24
"""A repeated message or order is recognised while its id is among the visitor's last 24."""

_HEADER: Final = struct.Struct("<5B2H2IQ")
_START: Final = _HEADER.size
_COLUMN: Final = struct.Struct("<d")


class Profile:
    """One visitor's state while it is being folded or read.

    Args:
        columns: one number a declared column (see `segments.features.schema`).
        seq: sequence number of the last event that it covers.

    Example:
        >>> profile = Profile(array("d", [1.0, 2.0]), seq=3)
        >>> decode(encode(profile, 7)).columns == profile.columns
        True
    """

    __slots__ = ("brands", "categories", "columns", "consents", "recent", "seq", "sessions")

    def __init__(self, columns: array[float], seq: int = 0) -> None:
        self.columns = columns
        self.seq = seq
        self.sessions = Sessions()
        self.categories = Tally(array("Q"), array("d"))
        self.brands = Tally(array("Q"), array("d"))
        self.consents = Consents(array("Q"), array("d"))
        self.recent: array[int] = array("Q")

    def remember(self, key: int) -> bool:
        """Notes the hash of an id; False if it is among the latest already."""
        if key in self.recent:
            return False
        self.recent.append(key)
        del self.recent[:-MAX_RECENT]
        return True

    def absorb(self, other: Profile) -> None:
        """Takes in all of another profile but its columns, whose rules only the schema knows."""
        self.sessions.merge(other.sessions)
        self.categories.merge(other.categories, MAX_CATEGORIES)
        self.brands.merge(other.brands, MAX_BRANDS)
        self.consents.merge(other.consents)
        self.recent = (other.recent + self.recent)[-MAX_RECENT:]
        self.seq = max(self.seq, other.seq)


def encode(profile: Profile, fingerprint: int) -> bytes:
    """The profile as bytes; the same state always gives the same bytes."""
    categories, brands, rows = profile.categories, profile.brands, profile.sessions.rows
    consents = profile.consents
    header = _HEADER.pack(
        VERSION,
        len(categories.keys),
        len(brands.keys),
        len(consents.keys),
        len(profile.recent),
        len(profile.columns),
        len(rows),
        profile.sessions.dropped,
        fingerprint,
        profile.seq,
    )
    parts = (
        header,
        profile.columns.tobytes(),
        rows.tobytes(),
        categories.keys.tobytes(),
        categories.weights.tobytes(),
        brands.keys.tobytes(),
        brands.weights.tobytes(),
        consents.keys.tobytes(),
        consents.moments.tobytes(),
        profile.recent.tobytes(),
    )
    return b"".join(parts)


def decode(data: bytes) -> Profile:
    """The profile of bytes that `encode` made or `check` passed."""
    (
        _, n_categories, n_brands, n_consents, _, n_columns, n_rows, dropped, _, seq,
    ) = _HEADER.unpack_from(data)  # fmt: skip
    sessions_at = _START + 8 * n_columns
    categories_at = sessions_at + 8 * n_rows
    brands_at = categories_at + 16 * n_categories
    consents_at = brands_at + 16 * n_brands
    recent_at = consents_at + 16 * n_consents
    profile = Profile.__new__(Profile)  # not through __init__, which would make all parts twice
    profile.seq = seq
    profile.columns = _floats(data, _START, sessions_at)
    profile.sessions = Sessions(_floats(data, sessions_at, categories_at), dropped)
    profile.categories = _tally(data, categories_at, n_categories)
    profile.brands = _tally(data, brands_at, n_brands)
    profile.consents = _consents(data, consents_at, n_consents)
    profile.recent = array("Q", data[recent_at:])
    return profile


def covered_seq(data: bytes) -> int:
    """The sequence number that encoded bytes cover, without unpacking the rest."""
    return int(_HEADER.unpack_from(data)[-1])


def check(data: bytes, fingerprint: int) -> None:
    """Refuses bytes that `decode` would misread.

    Raises:
        ProfileError: if they are cut, of another version, or of other columns.
    """
    remedy = "rebuild it by replaying the event log"
    if len(data) < _START:
        raise ProfileError(f"a profile has at least {_START} bytes, got {len(data)}; {remedy}")
    (
        version, n_categories, n_brands, n_consents, n_recent, n_columns, n_rows, _, mark, _,
    ) = _HEADER.unpack_from(data)  # fmt: skip
    if version != VERSION:
        raise ProfileError(f"profile of version {version}, this is version {VERSION}; {remedy}")
    if mark != fingerprint:
        raise ProfileError(
            f"profile of other columns ({mark:08x}, not {fingerprint:08x}); {remedy}"
        )
    n_pairs = n_categories + n_brands + n_consents
    length = _START + 8 * (n_columns + n_rows + 2 * n_pairs + n_recent)
    if len(data) != length:
        raise ProfileError(f"profile of {len(data)} bytes where {length} are due; {remedy}")


def _floats(data: bytes, start: int, end: int) -> array[float]:
    return array("d", data[start:end])


def _consents(data: bytes, start: int, n: int) -> Consents:
    middle, end = start + 8 * n, start + 16 * n
    return Consents(array("Q", data[start:middle]), array("d", data[middle:end]))


def _tally(data: bytes, start: int, n: int) -> Tally:
    middle, end = start + 8 * n, start + 16 * n
    return Tally(array("Q", data[start:middle]), array("d", data[middle:end]))
