"""The client against a server that says what each test wants it to say."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest

from api.cli.demo.client import Call, Client, DemoError

Use = Callable[[Client], Coroutine[None, None, Any]]


class Scripted(asyncio.Protocol):
    """Answers every request with what `answer` makes of it; nothing at all hangs up."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self._answer = answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        answer = self._answer(data)
        self._transport.write(answer)
        if not answer:
            self._transport.close()


def use(answer: Callable[[bytes], bytes], what: Use) -> Any:
    async def run() -> Any:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Scripted(answer), "127.0.0.1", 0)
        async with server:
            client = await Client.open("127.0.0.1", server.sockets[0].getsockname()[1], 3)
            try:
                return await what(client)
            finally:
                client.close()

    return asyncio.run(run())


def http(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n%s" % (status, len(body), body)


def test_answers_come_in_the_order_of_the_calls() -> None:
    calls = [Call("POST", "/", {"n": number}) for number in range(10)]
    answers = use(
        lambda data: http(200, data.partition(b"\r\n\r\n")[2]),
        lambda client: client.call_all(calls),
    )
    assert [answer.body["n"] for answer in answers] == list(range(10))
    assert all(answer.latency_s > 0 for answer in answers)


def test_no_calls_give_no_answers() -> None:
    assert use(lambda _: b"", lambda client: client.call_all([])) == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            http(422, b'{"title": "Not valid", "detail": "visitor is missing"}'),
            "422 Not valid: visitor",
        ),
        (http(500, b"oops"), "500 oops"),
        (b"", "no answer from the service"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "no answer from the service"),
    ],
)
@pytest.mark.filterwarnings("default")
def test_what_the_service_says_about_a_fault_is_passed_on(answer: bytes, said: str) -> None:
    with pytest.raises(DemoError, match=f"POST /v1/decisions: {said}"):
        use(lambda _: answer, lambda client: client.call("POST", "/v1/decisions", {}))


def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(DemoError, match="does not answer"):
        asyncio.run(Client.open("127.0.0.1", 1, 1))
