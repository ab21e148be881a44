"""Keys: whether there are any, and whether each can do no more than it has to."""

from collections.abc import Iterator

from api.auth import key_hash
from api.cli.doctor.finding import Finding
from api.settings import KeySettings, Settings

GUESSED = ("", "admin", "changeme", "demo", "key", "password", "secret", "segue", "test", "token")
_HASHES = {key_hash(guess): guess for guess in GUESSED}
PUBLIC = frozenset({"ingest"})


def check_keys(settings: Settings) -> Iterator[Finding]:
    """Look at `[[keys]]`."""
    if not settings.keys:
        yield Finding(
            "keys",
            "warn",
            "there are none: whoever reaches the port may do everything (loopback only)",
            "make one for each caller: segue keys new NAME --scopes decide,reward",
        )
        return
    found = [finding for key in settings.keys for finding in _check_key(key)]
    found += _shared(settings.keys)
    yield from found
    if not found:
        yield Finding("keys", "ok", f"{len(settings.keys)} keys, of which only hashes are stored")


def _check_key(key: KeySettings) -> Iterator[Finding]:
    scopes = frozenset(key.scopes)
    if key.sha256 in _HASHES:
        told = f"{key.name!r} can be guessed: it is {_HASHES[key.sha256]!r}"
        yield Finding("keys", "fail", told, f"replace it: segue keys new {key.name}")
    if "ingest" in scopes and scopes & {"admin", "privacy", "read"}:
        told = f"{key.name!r} takes events in and may also {', '.join(sorted(scopes - PUBLIC))}"
        remedy = "a tracker's key stands in pages: give it ingest alone, and the rest another key"
        yield Finding("keys", "warn", told, remedy)
    if scopes == PUBLIC and key.per_second is None:
        told = f"{key.name!r} is for trackers and has no limit"
        yield Finding("keys", "warn", told, "set its per_second")


def _shared(keys: tuple[KeySettings, ...]) -> Iterator[Finding]:
    names: dict[str, list[str]] = {}
    for key in keys:
        names.setdefault(key.sha256, []).append(key.name)
    for shared in names.values():
        if len(shared) > 1:
            told = f"{' and '.join(map(repr, shared))} are one key: the last one's scopes hold"
            yield Finding("keys", "fail", told, "make a key of its own for each caller")
