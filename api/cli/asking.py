"""A running service asked over HTTP by a command, with a key from the environment."""

import json
import os
import urllib.error
import urllib.request

from api.cli.failing import fail

KEY = "SEGUE_KEY"
SECONDS = 600.0


def asked(method: str, url: str, body: object = None) -> str:
    """The answer's body; ends the command where there is none.

    Args:
        method: Of HTTP.
        url: With scheme and path.
        body: Sent as JSON; None for none.
    """
    if not url.startswith(("http://", "https://")):
        fail(f"url is {url!r:.80}: must begin with http:// or https://")
    headers = {"authorization": f"Bearer {os.environ.get(KEY, '')}"}
    data = None
    if body is not None:
        headers["content-type"], data = "application/json", json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310  # checked
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310  # checked
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        fail(f"{error.code}: {_detail(error.read())}")
    except OSError as error:
        fail(f"{url.partition('/v1/')[0]} does not answer: {error}")


def _detail(body: bytes) -> str:
    try:
        return str(json.loads(body)["detail"])
    except (ValueError, LookupError, TypeError):
        return body[:200].decode(errors="replace")
