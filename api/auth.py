"""API keys: who may do what.

A key is `Authorization: Bearer KEY`, or, as Segment's clients send it, Basic with the key as user
name, or, as Azure's send it, `Ocp-Apim-Subscription-Key: KEY`. Only hashes are configured; a key's
hash is compared in constant time.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from api.problems import Problem
from api.rate import RateLimit
from api.settings import KeySettings, Scope

Headers = Iterable[tuple[bytes, bytes]]
KEY_PREFIX = "segue_"
_NAMES = _AUTHORIZATION, _SUBSCRIPTION = b"authorization", b"ocp-apim-subscription-key"


def new_key() -> str:
    """A fresh key with 256 bits of chance."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def key_hash(key: str) -> str:
    """What is stored of a key.

    Example:
        >>> key_hash("secret")[:8]
        '2bb80d53'
    """
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


class Caller(NamedTuple):
    """Who sent a request.

    Args:
        name: Of the key.
        owner: Whose key it is; "" for the shop itself.
        headers: That tell how many more requests it may send; None without a limit.
    """

    name: str
    owner: str = ""
    headers: Mapping[str, str] | None = None


ANONYMOUS = Caller("anonymous")


class _Known(NamedTuple):
    digest: bytes
    caller: Caller
    scopes: frozenset[str]
    limit: RateLimit | None


class Authenticator:
    """Checks keys. Without any key configured everybody may do everything (loopback only).

    Args:
        keys: From the settings.
    """

    def __init__(self, keys: Sequence[KeySettings]) -> None:
        self._keys = [
            _Known(
                key.sha256.encode(),
                Caller(key.name, key.owner or ""),
                frozenset(key.scopes),
                None if key.per_second is None else RateLimit(key.per_second),
            )
            for key in keys
        ]

    def check(self, headers: Headers, scope: Scope) -> str:
        """Name of the key's holder; see `caller`."""
        return self.caller(headers, scope).name

    def caller(self, headers: Headers, scope: Scope) -> Caller:
        """Who sends a request.

        Args:
            headers: Of the request, names in lower case.
            scope: What the request wants to do.

        Raises:
            Problem: 401 without a valid key, 403 when the key may not do this, 429 when it sent
                too many.
        """
        if not self._keys:
            return ANONYMOUS
        presented = _presented(headers)
        digest = key_hash(presented).encode()
        holder = None
        for known in self._keys:  # all of them: the time must not tell which
            if hmac.compare_digest(known.digest, digest):
                holder = known
        if holder is None or not presented:
            raise Problem(
                401,
                "unauthorized",
                "a valid API key is needed: Authorization: Bearer KEY",
                headers={"www-authenticate": "Bearer"},
            )
        if scope not in holder.scopes:
            has = ", ".join(sorted(holder.scopes))
            detail = f"the key {holder.caller.name!r} lacks the scope {scope!r}; it has {has}"
            raise Problem(403, "forbidden", detail)
        limit = holder.limit
        if limit is None:
            return holder.caller
        return holder.caller._replace(headers=limit.headers(limit.take()))


def _presented(headers: Headers) -> str:
    named = {name: value for name, value in reversed(list(headers)) if name in _NAMES}
    if _AUTHORIZATION not in named:
        return named.get(_SUBSCRIPTION, b"").decode("latin-1").strip()
    value = named[_AUTHORIZATION]
    kind, _, rest = value.decode("latin-1").partition(" ")
    if kind.lower() == "bearer":
        return rest.strip()
    if kind.lower() == "basic":
        try:
            return base64.b64decode(rest.strip(), validate=True).decode().partition(":")[0]
        except ValueError:  # not base64, not ASCII, not UTF-8
            return ""
    return ""
