"""`AsyncSegue`: the client for asyncio. It needs httpx."""

import asyncio
import contextlib
import random
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from api.client.breaker import Breaker
from api.client.errors import RefusedError, SegueError, UnreachableError
from api.client.model import JSON, Decision, Reward
from api.client.reward_queue import BATCH, Backoff, OnLost, RewardQueue
from api.client.sync import local_default, local_list, log
from api.client.wire import (
    DECISIONS,
    REWARDS,
    Answer,
    decision_body,
    decision_of,
    headers_of,
    list_of,
    parsed,
    refusals,
    rewards_body,
)


class AsyncSegue:
    """The same as `Segue`, for one event loop.

    Args:
        url: Of the service.
        key: API key with the scopes `decide` and `reward`; None where the service has no keys.
        timeout_ms: For a decision, in milliseconds.
        interval_ms: How long a reward waits for others to go with it, in milliseconds.
        largest_queue: Rewards that may wait.
        on_lost: Told of each reward that will not be counted, and why.

    Raises:
        ImportError: httpx is not installed.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeout_ms: float = 200.0,
        interval_ms: float = 500.0,
        largest_queue: int = 10_000,
        on_lost: OnLost | None = None,
    ) -> None:
        self._client = _httpx().AsyncClient(base_url=url, headers=headers_of(key), timeout=None)
        self._timeout_s = timeout_ms / 1000
        self._interval_s = interval_ms / 1000
        self._breaker = Breaker()
        self._queue = RewardQueue(largest_queue, on_lost)
        self._hurry = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def decide(
        self,
        visitor: str,
        placement: str,
        *,
        default: str | Decision | None = None,
        context: JSON | None = None,
        actions: Sequence[JSON] | None = None,
        excluded: Sequence[str] = (),
    ) -> Decision:
        """Ask for the next best action; see `Segue.decide`."""
        body = decision_body(visitor, placement, context, actions, excluded)
        try:
            return decision_of(await self._ask(body))
        except SegueError as error:
            return local_default(default, error, placement)

    async def decide_list(
        self,
        visitor: str,
        placement: str,
        slots: Sequence[JSON],
        *,
        default: str | Decision | None = None,
        context: JSON | None = None,
        actions: Sequence[JSON] | None = None,
        excluded: Sequence[str] = (),
    ) -> dict[str, Decision | None]:
        """Ask for an action for each slot; see `Segue.decide_list`."""
        body = decision_body(visitor, placement, context, actions, excluded, slots)
        try:
            return list_of(await self._ask(body))
        except SegueError as error:
            return local_list(slots, local_default(default, error, placement))

    async def activate(self, decision: Decision) -> bool:
        """Report that a decision was shown; see `Segue.activate`."""
        if decision.decision_id is None:
            return False
        path = f"{DECISIONS}/{decision.decision_id}/activate"
        parsed(await self._post(path, b"{}", self._timeout_s))
        return True

    def reward(
        self, decision: Decision | str, value: float = 1.0, *, reward_id: str | None = None
    ) -> bool:
        """Queue a reward, without waiting; see `Segue.reward`."""
        decision_id = decision if isinstance(decision, str) else decision.decision_id
        if decision_id is None:
            return False
        named = () if reward_id is None else (reward_id,)
        if not self._queue.put(Reward(decision_id, value, *named)):
            return False
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())
        if len(self._queue) >= BATCH:
            self._hurry.set()
        return True

    async def flush(self, timeout_s: float = 10.0) -> bool:
        """Send what is queued; whether all of it was settled in time."""
        try:
            async with asyncio.timeout(timeout_s):
                while len(self._queue):
                    self._hurry.set()
                    await asyncio.sleep(0.01)
        except TimeoutError:
            return False
        return True

    async def close(self, timeout_s: float = 10.0) -> None:
        """Send what is queued, as far as there is time, and end."""
        if self._task is not None:
            await self.flush(timeout_s)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._queue.clear(UnreachableError("the client was closed before the service answered"))
        await self._client.aclose()

    async def _ask(self, body: bytes) -> Any:
        self._breaker.check()
        try:
            answer = parsed(await self._post(DECISIONS, body, self._timeout_s))
        except UnreachableError:
            self._breaker.failed()
            raise
        except RefusedError:
            self._breaker.succeeded()
            raise
        self._breaker.succeeded()
        return answer

    async def _post(self, path: str, body: bytes, timeout_s: float) -> Answer:
        try:
            async with asyncio.timeout(timeout_s):
                response = await self._client.post(path, content=body)
        except TimeoutError:
            raise UnreachableError("no answer: timed out") from None
        except _httpx().HTTPError as error:
            raise UnreachableError(f"no answer: {error or type(error).__name__}") from None
        return Answer(response.status_code, response.content, response.headers.get("retry-after"))

    async def _run(self) -> None:
        backoff = Backoff(random.Random())  # noqa: S311  # spreads attempts, guards nothing
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._interval_s):
                    await self._hurry.wait()
            self._hurry.clear()
            try:
                while batch := self._queue.take():
                    await self._deliver(batch)
                    backoff.reset()
            except UnreachableError as error:
                delay_s = backoff.next_s(error)
                log.warning("rewards wait: %s; next attempt in %.1f s", error, delay_s)
                await asyncio.sleep(delay_s)  # also when somebody is in a hurry

    async def _deliver(self, batch: Sequence[Reward]) -> None:
        try:
            answer = await self._post(REWARDS, rewards_body(batch), max(5.0, self._timeout_s))
            refused = refusals(batch, parsed(answer))
        except RefusedError as error:
            refused = [(reward, error) for reward in batch]
        except BaseException:
            self._queue.give_back(batch)
            raise
        self._queue.settle(refused)


def _httpx() -> Any:
    try:
        import httpx  # noqa: PLC0415  # the other client does without
    except ImportError:
        raise ImportError("AsyncSegue needs httpx: pip install 'segue[client]'") from None
    return httpx
