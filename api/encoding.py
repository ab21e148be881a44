"""Compressed bodies: unpacked to a bound, so that a small one cannot become a large one.

Between reading a body and parsing it.
"""

import zlib

from api.problems import Problem, shown

CONTENT_ENCODING = b"content-encoding"
_GZIP = 16 + zlib.MAX_WBITS


def decoded(body: bytes, coding: bytes, max_bytes: int) -> bytes:
    """The body as it was before it was compressed.

    Args:
        body: As it came.
        coding: What `Content-Encoding` says.
        max_bytes: Largest result.

    Raises:
        Problem: 415 for any coding but gzip, 413 for too much, 400 for what is not gzip.

    Example:
        >>> import gzip
        >>> decoded(gzip.compress(b"{}"), b"gzip", 100)
        b'{}'
    """
    name = coding.strip().lower()
    if name in (b"identity", b""):
        return body
    if name not in (b"gzip", b"x-gzip"):
        said = shown(coding.decode("latin-1"))
        raise Problem(415, "unsupported-encoding", f"content-encoding is {said}: must be gzip")
    unpacker = zlib.decompressobj(_GZIP)
    try:
        unpacked = unpacker.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise _malformed(str(error)) from None
    if len(unpacked) > max_bytes:
        raise too_large(max_bytes)
    if not unpacker.eof or unpacker.unused_data:
        raise _malformed("it is cut off" if not unpacker.eof else "something follows it")
    return unpacked


def too_large(max_bytes: int) -> Problem:
    """The refusal of a body that is larger than the service takes."""
    limit = max_bytes // 1024
    return Problem(413, "too-large", f"the body is larger than {limit} kB (service.max_body_kb)")


def _malformed(reason: str) -> Problem:
    return Problem(400, "malformed-gzip", f"the body is not gzip: {reason}")
