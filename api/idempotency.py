"""`Idempotency-Key`: a request that may be sent again is done once, and answered alike.

Between HTTP, which carries the key, and `api.storage.keyed`, which keeps the answer beside the rows
that the request brought. A key belongs to an owner and a route: elsewhere it is another one. What
was refused changed nothing, and is looked at anew when it comes again.

References:
    IETF, draft-ietf-httpapi-idempotency-key-header, "The Idempotency-Key HTTP Header Field".
    RFC 9651, "Structured Field Values for HTTP", section 3.3.3.
"""

import re
from collections.abc import Mapping
from hashlib import blake2b, sha256

from api.problems import FieldFault, Problem, shown
from api.storage.keyed import KeyedRequest

HEADER = b"idempotency-key"
REPLAYED: Mapping[str, str] = {"idempotency-replayed": "true"}
MAX_CHARS = 255
NAME_BYTES = 16

_QUOTED = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])+)"')
_BARE = re.compile(r"[\x21\x23-\x2b\x2d-\x7e]+")  # no comma: proxies join two headers with one
_ESCAPED = re.compile(r"\\(.)")


def key_of(value: str) -> str:
    r"""The key that a header carries: a string in quotes, or as it is.

    Args:
        value: Of the header, spaces around it removed.

    Raises:
        Problem: 400 for anything else, or more than 255 characters.

    Example:
        >>> key_of('"8e03978e"'), key_of("8e03978e"), key_of(r'"a\\b"')
        ('8e03978e', '8e03978e', 'a\\b')
    """
    quoted = _QUOTED.fullmatch(value)
    key = _ESCAPED.sub(r"\1", quoted[1]) if quoted else value
    if len(key) > MAX_CHARS or not (quoted or _BARE.fullmatch(value)):
        rule = f'must be one string of 1 to {MAX_CHARS} ASCII characters, such as "8e03978e-40d5"'
        fault = FieldFault(field="Idempotency-Key", value=shown(value), rule=rule)
        raise Problem(400, "malformed-idempotency-key", f"{fault.field}: {rule}", [fault])
    return key


def keyed_request(
    value: str, owner: str | None, route: str, parameters: str, body: bytes, now_us: int
) -> KeyedRequest:
    """A request under its key.

    Args:
        value: Of the header.
        owner: Whose API key it came with; None for the shop's own.
        route: Its template.
        parameters: What stands in the template.
        body: Not compressed any more.
        now_us: Microseconds since 1970.

    Raises:
        Problem: As `key_of`.
    """
    name = blake2b(digest_size=NAME_BYTES)
    for part in (owner or "", route, key_of(value)):
        text = part.encode("utf-8", "surrogatepass")
        name.update(b"%d:" % len(text) + text)
    fingerprint = sha256(parameters.encode("utf-8", "surrogatepass") + b"\0" + body)
    return KeyedRequest(name.digest(), fingerprint.digest(), now_us)


def reused() -> Problem:
    """The refusal of a key that was used for something else."""
    rule = "was used before for another body; a new request needs a new key"
    fault = FieldFault(field="Idempotency-Key", value="", rule=rule)
    return Problem(409, "idempotency-key-reused", f"{fault.field}: {rule}", [fault])
