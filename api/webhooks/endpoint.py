"""One try to deliver a webhook: where to, signed how, and what came of it.

Nothing but the status line of an answer is read, and no redirect is followed. The address is looked
at before the connection is made, and the connection goes to the address that was looked at: a name
cannot lead into the shop's own network unless the configuration says that it may.

References:
    OWASP, "Server-Side Request Forgery Prevention Cheat Sheet".
"""

import asyncio
import contextlib
import ipaddress
import re
import socket
import ssl
from functools import lru_cache
from importlib.metadata import version
from urllib.parse import urlsplit

from api.storage.outbox import Delivery
from api.webhooks.settings import WebhookEndpointSettings, is_loopback_name
from api.webhooks.signature import secret_bytes, standard

GONE = 410
MAX_ERROR_CHARS = 200
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: |\r?\n)")


class DeliveryError(Exception):
    """A delivery that was not taken.

    Args:
        message: Why.
        final: Whether trying again is useless.
    """

    def __init__(self, message: str, *, final: bool = False) -> None:
        self.final = final
        super().__init__(message[:MAX_ERROR_CHARS])


class Endpoint:
    """Somebody who is told.

    Args:
        settings: Its section.
    """

    def __init__(self, settings: WebhookEndpointSettings) -> None:
        self.name = settings.name
        self.tries = settings.tries
        self._timeout_seconds = settings.timeout_seconds
        self._keys = [secret_bytes(secret.get_secret_value()) for secret in settings.secrets]
        url = urlsplit(settings.url)
        self._tls = url.scheme == "https"
        self._host = url.hostname or ""
        self._port = url.port or (443 if self._tls else 80)
        self._authority = url.netloc
        self._target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        self._anywhere = settings.allow_private
        self._loopback = is_loopback_name(self._host)

    async def send(self, delivery: Delivery, now_s: int) -> None:
        """Deliver, or say why not.

        Args:
            delivery: What.
            now_s: Seconds since 1970.

        Raises:
            DeliveryError: It was not taken.
        """
        try:
            async with asyncio.timeout(self._timeout_seconds):
                status = await self._post(delivery.message_id, delivery.body.encode(), now_s)
        except TimeoutError:
            detail = f"no answer within {self._timeout_seconds:g} seconds"
            raise DeliveryError(detail) from None
        except (OSError, asyncio.IncompleteReadError, ValueError) as error:
            raise DeliveryError(f"{type(error).__name__}: {error}") from None
        if not 200 <= status < 300:
            raise DeliveryError(f"answered {status}", final=status == GONE)

    def headers(self, message_id: str, body: bytes, now_s: int) -> dict[str, str]:
        """The headers of one try, with a signature for every secret."""
        signatures = [standard(key, message_id, now_s, body) for key in self._keys]
        return {
            "host": self._authority,
            "content-type": "application/json",
            "content-length": str(len(body)),
            "user-agent": f"segue/{version('segue')}",
            "webhook-id": message_id,
            "webhook-timestamp": str(now_s),
            "webhook-signature": " ".join(signatures),
            "connection": "close",
        }

    async def _post(self, message_id: str, body: bytes, now_s: int) -> int:
        address = await self._address()
        name = self._host if self._tls else None
        reader, writer = await asyncio.open_connection(
            address, self._port, ssl=_context() if self._tls else None, server_hostname=name
        )
        try:
            headers = self.headers(message_id, body, now_s)
            lines = [f"POST {self._target} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
            writer.write("\r\n".join([*lines, "", ""]).encode("ascii") + body)
            await writer.drain()
            answer = _STATUS.match(await reader.readline())
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                writer.transport.abort()
        if answer is None:
            raise DeliveryError("the answer is not HTTP")
        return int(answer[1])

    async def _address(self) -> str:
        """Where its name leads, after a look at all of it.

        Raises:
            DeliveryError: Into a network that is not to be reached.
        """
        found = await asyncio.get_running_loop().getaddrinfo(
            self._host, self._port, type=socket.SOCK_STREAM
        )
        addresses = [str(place[4][0]) for place in found]
        for address in addresses:
            if not self._anywhere and not may_reach(address, loopback=self._loopback):
                rule = "is not a public one; allow_private = true would let it be reached"
                raise DeliveryError(f"the address {address} of {self._host} {rule}")
        if not addresses:
            raise DeliveryError(f"{self._host} has no address")
        return addresses[0]


def may_reach(address: str, *, loopback: bool = False) -> bool:
    """Whether an address is public, however it is written.

    Args:
        address: An IP address.
        loopback: The configuration names loopback itself: then only that.

    Example:
        >>> may_reach("93.184.215.14"), may_reach("10.0.0.1"), may_reach("::ffff:127.0.0.1")
        (True, False, False)
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inside = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _NAT64:
            inside = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inside is not None:
            return not loopback and may_reach(str(inside))
    return ip.is_loopback if loopback else ip.is_global and not ip.is_multicast


@lru_cache(1)
def _context() -> ssl.SSLContext:
    return ssl.create_default_context()
