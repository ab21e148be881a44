"""`Segue`: the client for ordinary code."""

import logging
import random
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from api.client.breaker import Breaker
from api.client.errors import RefusedError, SegueError, UnreachableError
from api.client.model import JSON, Decision, Reward
from api.client.reward_queue import BATCH, Backoff, OnLost, RewardQueue
from api.client.transport import Transport
from api.client.wire import (
    DECISIONS,
    REWARDS,
    decision_body,
    decision_of,
    headers_of,
    list_of,
    parsed,
    refusals,
    rewards_body,
)

log = logging.getLogger("segue.client")


class Segue:
    """Asks for decisions and reports rewards; safe to use from several threads.

    A decision that does not come in time is the local default that the call names. Rewards are
    queued and sent in batches from a thread of their own, again and again until they are taken:
    their ids make each count once.

    Args:
        url: Of the service.
        key: API key with the scopes `decide` and `reward`; None where the service has no keys.
        timeout_ms: For a decision, in milliseconds.
        interval_ms: How long a reward waits for others to go with it, in milliseconds.
        largest_queue: Rewards that may wait.
        on_lost: Told, from the thread, of each reward that will not be counted, and why.

    Raises:
        ValueError: The address is none.
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
        self._transport = Transport(url, headers_of(key))
        self._timeout_s = timeout_ms / 1000
        self._interval_s = interval_ms / 1000
        self._breaker = Breaker()
        self._queue = RewardQueue(largest_queue, on_lost)
        self._changed = threading.Condition()
        self._hurry = self._closing = False
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def decide(
        self,
        visitor: str,
        placement: str,
        *,
        default: str | Decision | None = None,
        context: JSON | None = None,
        actions: Sequence[JSON] | None = None,
        excluded: Sequence[str] = (),
    ) -> Decision:
        """Ask for the next best action.

        Args:
            visitor: User id, or anonymous id.
            placement: Name of a placement.
            default: Action to show when no answer comes in time, by id or whole.
            context: The features that the placement declares.
            actions: Candidates, instead of the catalog's.
            excluded: Ids not to choose.

        Raises:
            SegueError: No answer, or a refusal, and no default.
        """
        body = decision_body(visitor, placement, context, actions, excluded)
        try:
            return decision_of(self._ask(body))
        except SegueError as error:
            return local_default(default, error, placement)

    def decide_list(
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
        """Ask for an action for each slot, by the slots' ids; None for one that stays empty.

        Args:
            visitor: As for `decide`.
            placement: As for `decide`.
            slots: Each with its `id`, and what else a slot may say.
            default: Action for the first slot when no answer comes in time.
            context: As for `decide`.
            actions: As for `decide`.
            excluded: As for `decide`.

        Raises:
            SegueError: No answer, or a refusal, and no default.
        """
        body = decision_body(visitor, placement, context, actions, excluded, slots)
        try:
            return list_of(self._ask(body))
        except SegueError as error:
            return local_list(slots, local_default(default, error, placement))

    def activate(self, decision: Decision) -> bool:
        """Report that a decision was shown; False for one that the service does not know of.

        Raises:
            SegueError: No answer, or a refusal.
        """
        if decision.decision_id is None:
            return False
        path = f"{DECISIONS}/{decision.decision_id}/activate"
        parsed(self._transport.post(path, b"{}", self._timeout_s))
        return True

    def reward(
        self, decision: Decision | str, value: float = 1.0, *, reward_id: str | None = None
    ) -> bool:
        """Queue a reward; False where there is no logged decision, or no room.

        Args:
            decision: What earned it, or its id.
            value: What it earned.
            reward_id: Names it, so that it counts once; by default the client makes one.
        """
        decision_id = decision if isinstance(decision, str) else decision.decision_id
        if decision_id is None:
            return False
        named = () if reward_id is None else (reward_id,)
        if not self._queue.put(Reward(decision_id, value, *named)):
            return False
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="segue-rewards", daemon=True)
                self._thread.start()
            if len(self._queue) >= BATCH:
                self._changed.notify_all()
        return True

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Send what is queued; whether all of it was settled in time."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            self._hurry = True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: not len(self._queue), deadline - time.monotonic())

    def close(self, timeout_s: float = 10.0) -> None:
        """Send what is queued, as far as there is time, and end."""
        if self._thread is not None:
            self.flush(timeout_s)
            with self._changed:
                self._closing = True
                self._changed.notify_all()
            self._thread.join(timeout_s)
        self._queue.clear(UnreachableError("the client was closed before the service answered"))
        self._transport.close()

    def _ask(self, body: bytes) -> Any:
        self._breaker.check()
        try:
            answer = parsed(self._transport.post(DECISIONS, body, self._timeout_s))
        except UnreachableError:
            self._breaker.failed()
            raise
        except RefusedError:
            self._breaker.succeeded()
            raise
        self._breaker.succeeded()
        return answer

    def _run(self) -> None:
        backoff = Backoff(random.Random())  # noqa: S311  # spreads attempts, guards nothing
        while True:
            with self._changed:
                self._changed.wait_for(self._due, self._interval_s)
                if self._closing:
                    return
            try:
                while batch := self._queue.take():
                    self._deliver(batch)
                    backoff.reset()
            except UnreachableError as error:
                delay_s = backoff.next_s(error)
                log.warning("rewards wait: %s; next attempt in %.1f s", error, delay_s)
                with self._changed:  # also when somebody is in a hurry
                    self._changed.wait_for(lambda: self._closing, delay_s)
                continue
            with self._changed:
                self._hurry = False
                self._changed.notify_all()

    def _due(self) -> bool:
        return self._closing or self._hurry or len(self._queue) >= BATCH

    def _deliver(self, batch: Sequence[Reward]) -> None:
        try:
            answer = self._transport.post(REWARDS, rewards_body(batch), max(5.0, self._timeout_s))
            refused = refusals(batch, parsed(answer))
        except UnreachableError:
            self._queue.give_back(batch)
            raise
        except RefusedError as error:
            refused = [(reward, error) for reward in batch]
        self._queue.settle(refused)


def local_default(default: str | Decision | None, error: SegueError, placement: str) -> Decision:
    """The default that a call names, or the error where it names none."""
    if default is None:
        raise error
    log.warning("default at %s: %s", placement, error)
    if isinstance(default, str):
        return Decision(default, reason=str(error))
    return Decision(default.action_id, default.payload, reason=str(error))


def local_list(slots: Sequence[JSON], first: Decision) -> dict[str, Decision | None]:
    """The default in the first slot, and nothing in the others."""
    return {slot["id"]: None if index else first for index, slot in enumerate(slots)}
