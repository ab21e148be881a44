"""One try to deliver: signed, bounded in time, and nowhere that it should not go."""

import asyncio
import contextlib
import ipaddress
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from api.configuration import parse_settings
from api.settings import SettingsError
from api.storage.outbox import Delivery
from api.webhooks.endpoint import DeliveryError, Endpoint, may_reach
from api.webhooks.settings import WebhookEndpointSettings
from tests.api.service import configuration
from tests.api.webhooks.receiver import receiving
from tests.api.webhooks.senders import NEW, OLD, now

DELIVERY = Delivery(1, "msg_1", "shop", "alert.raised", '{"type":"alert.raised","x":"Grüße"}', 0)
ENDPOINT = {"name": "shop", "url": "https://shop.example/hooks", "secrets": [OLD, NEW]}


def endpoint(url: str, **changes: Any) -> Endpoint:
    return Endpoint(WebhookEndpointSettings.model_validate({**ENDPOINT, "url": url, **changes}))


async def send(one: Endpoint) -> None:
    await one.send(DELIVERY, int(now().timestamp()))


def refusal(one: Endpoint) -> DeliveryError:
    with pytest.raises(DeliveryError) as error:
        asyncio.run(send(one))
    return error.value


def against(answer: bytes | None, scheme: str = "http", **changes: Any) -> DeliveryError | None:
    """What comes of a try against a server that answers these bytes, or nothing at all."""

    async def inside() -> DeliveryError | None:
        finished = asyncio.Event()

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                if scheme == "http":
                    await reader.readuntil(b"\r\n\r\n")
                if answer is None:
                    await reader.read()  # until the other side gives up
                writer.write(answer or b"")
                writer.close()
                await writer.wait_closed()
            finished.set()

        error = None
        async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            try:
                await send(endpoint(f"{scheme}://127.0.0.1:{port}/", **changes))
            except DeliveryError as refused:
                error = refused
            await finished.wait()
        return error

    return asyncio.run(inside())


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_the_real_client_verifies_what_is_sent_with_either_secret(secret: str) -> None:
    with receiving() as receiver:
        asyncio.run(send(endpoint(receiver.url)))
    ((headers, body),) = receiver.requests
    assert Webhook(secret).verify(body, headers) == {"type": "alert.raised", "x": "Grüße"}
    assert headers[":path"] == "/hooks?shop=1"
    assert headers["content-type"] == "application/json"
    assert headers["webhook-id"] == "msg_1"


@pytest.mark.parametrize("status", [199, 301, 302, 307, 400, 404, 410, 500, 503])
def test_anything_but_2xx_is_a_failure_and_410_is_final(status: int) -> None:
    error = against(b"HTTP/1.1 %d What\r\n\r\n" % status)
    assert error is not None
    assert (str(error), error.final) == (f"answered {status}", status == 410)


def test_no_redirect_is_followed() -> None:
    with receiving() as other, receiving(location=other.url) as receiver:
        receiver.statuses = [307]
        assert str(refusal(endpoint(receiver.url))) == "answered 307"
        assert not other.requests


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n", b"HTTP/1.1 2000 x\r\n", b"x" * 100_000])
def test_what_is_no_http_is_a_failure(answer: bytes) -> None:
    assert against(answer) is not None


def test_a_silent_receiver_is_given_up_and_a_short_answer_suffices() -> None:
    error = against(None, timeout_seconds=0.05)
    assert str(error) == "no answer within 0.05 seconds"
    assert against(b"HTTP/1.0 200 OK\r\n") is None


def test_nobody_there_is_a_failure() -> None:
    assert "Connect" in str(refusal(endpoint("http://127.0.0.1:1/")))


def test_a_receiver_whose_certificate_nobody_signed_is_refused() -> None:
    """Here it has none at all."""
    assert against(b"HTTP/1.1 200 OK\r\n\r\n", scheme="https") is not None


def resolving(*addresses: str) -> Callable[..., Awaitable[list[Any]]]:
    async def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        return [(0, 0, 0, "", (address, port)) for address in addresses]

    return getaddrinfo


@pytest.mark.parametrize(
    "addresses", [["10.1.2.3"], ["127.0.0.1"], ["93.184.215.14", "169.254.169.254"], ["fd00::1"]]
)
def test_a_name_that_leads_inside_is_refused_before_a_connection(
    addresses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def inside() -> None:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "getaddrinfo", resolving(*addresses))
        monkeypatch.setattr(asyncio, "open_connection", None)
        await send(endpoint("https://shop.example/"))

    with pytest.raises(DeliveryError, match="not a public one"):
        asyncio.run(inside())


def test_loopback_is_reached_only_where_the_configuration_names_it() -> None:
    for url in ("http://localhost:1/", "http://127.0.0.1:1/", "http://[::1]:1/"):
        assert "public" not in str(refusal(endpoint(url)))
    assert "not a public one" in str(refusal(endpoint("https://10.0.0.1/")))


INSIDE = (
    "10.0.0.1 172.16.0.1 192.168.1.1 127.0.0.1 0.0.0.0 169.254.169.254 100.64.0.1 224.0.0.1 "
    "255.255.255.255 198.18.0.1 :: ::1 fe80::1 fe80::1%eth0 fc00::1 ff02::1 ::ffff:10.0.0.1 "
    "64:ff9b::10.0.0.1 2002:a00:1:: 2001:db8::1"
)


@pytest.mark.parametrize("address", INSIDE.split())
def test_an_address_that_is_not_public_is_none_to_reach(address: str) -> None:
    assert not may_reach(address)


def test_public_addresses_are() -> None:
    assert all(may_reach(one) for one in ("93.184.215.14", "2606:4700::1111", "8.8.8.8"))


@given(st.ip_addresses(v=4))
def test_an_address_is_judged_alike_however_it_is_written(ip: ipaddress.IPv4Address) -> None:
    assert may_reach(f"::ffff:{ip}") == may_reach(str(ip))
    assert may_reach(str(ipaddress.IPv6Address((0x64FF9B << 96) | int(ip)))) == may_reach(str(ip))


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"url": "http://shop.example/"}, "must begin with https://"),
        ({"url": "http://10.0.0.1/"}, "must begin with https://"),
        ({"url": "ftp://shop.example/"}, "must be an ASCII URL"),
        ({"url": "https://shop.example:x/"}, "must be a URL"),
        ({"url": "https://shop.example/a b"}, "must be an ASCII URL"),
        ({"url": "https://shop.example/\r\nx: y"}, "must be an ASCII URL"),
        ({"url": "https://ann:geheim@shop.example/"}, "must not have a user"),
        ({"url": "https:///x"}, "must be an ASCII URL"),
        ({"secrets": ["geheim"]}, "secrets[0]"),
        ({"types": ["no.such"]}, "types"),
        ({"tries": 0}, "tries is 0"),
        ({"urls": "https://geheim.example"}, "did you mean 'url'?"),
    ],
)
def test_a_fault_of_an_endpoint_is_named_without_its_secret(
    changes: dict[str, Any], fault: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        parse_settings(configuration(webhook_endpoints=[{**ENDPOINT, **changes}]))
    assert fault in str(refused.value)
    assert "geheim" not in str(refused.value)


def test_a_private_network_is_reached_where_that_is_allowed() -> None:
    made = {**ENDPOINT, "url": "http://10.0.0.1/", "allow_private": True}
    settings = parse_settings(configuration(webhook_endpoints=[made]))
    assert settings.webhook_endpoints[0].allow_private
    with pytest.raises(SettingsError, match="'shop' is there more than once"):
        parse_settings(configuration(webhook_endpoints=[ENDPOINT, ENDPOINT]))
