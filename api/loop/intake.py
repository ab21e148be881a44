"""Intake: messages as trackers send them, sorted into events and dead letters.

Good events of a batch are kept whatever its bad ones are; a bad one is kept too, with the reason.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from pydantic_core import to_json

from api.ingest.segment import MAX_MESSAGE_BYTES, parse_message
from api.loop.clock import Clock
from api.loop.metrics import Metrics
from api.loop.observe import Observer
from api.loop.suppression import ErasedError, Suppression
from api.storage.base import Appended, DeadLetterRow, Store
from api.storage.keyed import Keyed, KeyedRequest, Told
from segments.event import Event, EventError

MAX_LETTER_CHARS = 32 * 1024
AT_ONCE = 100

Parse = Callable[[object, int], Event]
"""From a message and its place among others to its event."""


class Intake:
    """Takes messages in.

    Args:
        observer: Where good events go.
        store: Where refused ones are kept.
        clock: When they came in.
        metrics: Counts both.
        suppression: Refuses what is of before an erasure.
    """

    def __init__(
        self,
        observer: Observer,
        store: Store,
        clock: Clock,
        metrics: Metrics,
        suppression: Suppression,
    ) -> None:
        self._observer = observer
        self._suppression = suppression
        self._store = store
        self._clock = clock
        self._metrics = metrics

    async def one(
        self, message: object, kind: str, body_bytes: int, once: KeyedRequest | None = None
    ) -> Appended:
        """Take one message in.

        Args:
            message: As parsed from JSON.
            kind: The message's type, as the path says it.
            body_bytes: Size of the request; a small one cannot hold a message that is too large.
            once: The key under which it is done once.

        Raises:
            EventError: It is refused, and kept as a dead letter.
            RepeatedRequestError: It was answered before.
        """
        try:
            event = self.check(self._parse(message, body_bytes, kind=kind))
        except EventError as error:
            if not isinstance(error, ErasedError):
                await self._store.append_dead_letters([self._letter(message, error)])
            self._metrics.events.labels("rejected").inc()
            raise
        keyed = None if once is None else Keyed(once, partial(_told, [], [], event.visitor))
        return self._counted(await self._observer.observe([event], (), keyed))

    async def batch(
        self,
        messages: Sequence[object],
        sent_at: object,
        body_bytes: int,
        once: KeyedRequest | None = None,
    ) -> tuple[Appended, list[dict[str, Any]]]:
        """Take a batch in.

        Args:
            messages: Of any type, mixed.
            sent_at: `sentAt` of the batch.
            body_bytes: Size of the request; a small one cannot hold a message that is too large.
            once: The key under which it is done once.

        Returns:
            What became of the good events, and {index, field, value, rule} of each bad one.

        Raises:
            RepeatedRequestError: It was answered before.
        """
        made_id = None if once is None else f"made-{once.name.hex()}"
        return await self.take(messages, self.parser(body_bytes, sent_at, made_id), once)

    def parser(self, body_bytes: int, sent_at: object = None, made_id: str | None = None) -> Parse:
        """How messages in Segment's format are read.

        Args:
            body_bytes: As for `batch`.
            sent_at: As for `batch`.
            made_id: How the id of a message begins that has none; None for one by chance.
        """

        def parse(message: object, index: int) -> Event:
            name = None if made_id is None else f"{made_id}-{index}"
            return self._parse(message, body_bytes, sent_at=sent_at, made_id=name)

        return parse

    async def take(
        self, messages: Sequence[object], parse: Parse, once: KeyedRequest | None = None
    ) -> tuple[Appended, list[dict[str, Any]]]:
        """The same for messages of any format.

        Args:
            messages: As parsed from JSON.
            parse: From a message and its index to its event; may raise an `EventError`.
            once: As for `batch`. It needs events whose ids do not change from one time to the next.
        """
        taken: list[Appended] = []
        rejected: list[dict[str, Any]] = []
        if once is not None and len(messages) > AT_ONCE:
            await self._store.claim(once)
        for start in range(0, len(messages) or 1, AT_ONCE):
            chunk = list(enumerate(messages[start : start + AT_ONCE], start))
            events, letters = self._sorted(chunk, parse, rejected)
            keyed = None
            if once is not None and start + AT_ONCE >= len(messages):
                keyed = Keyed(once, partial(_told, taken, rejected, None))
            # A few messages at a time: decisions come in between one chunk and the next.
            appended = await self._observer.observe(events, letters, keyed)
            taken.append(self._counted(appended))
        if rejected:
            self._metrics.events.labels("rejected").inc(len(rejected))
        return _sum(taken), rejected

    def _sorted(
        self,
        chunk: Sequence[tuple[int, object]],
        parse: Parse,
        rejected: list[dict[str, Any]],
    ) -> tuple[list[Event], list[DeadLetterRow]]:
        """Good events, and letters of bad ones, whose faults are added to `rejected`."""
        events: list[Event] = []
        letters: list[DeadLetterRow] = []
        for index, message in chunk:
            try:
                events.append(self.check(parse(message, index)))
            except EventError as error:
                if not isinstance(error, ErasedError):  # nothing of theirs is kept
                    letters.append(self._letter(message, error))
                fault = {"field": error.field, "value": error.value, "rule": error.rule}
                rejected.append({"index": index, **fault})
        return events, letters

    def _parse(self, message: object, body_bytes: int, **how: Any) -> Event:
        if body_bytes > MAX_MESSAGE_BYTES:
            _check_size(message)
        trusts = self._clock.trusts_requests
        return parse_message(message, self._clock.now(), trusts_clocks=trusts, **how)

    def check(self, event: Event) -> Event:
        """Let an event pass that may be appended.

        Raises:
            EventError: It is of another time, or from before the erasure of its visitor.
        """
        self._observer.check_time(event)
        self._suppression.check(event)
        return event

    def _letter(self, message: object, error: EventError) -> DeadLetterRow:
        body = to_json(message, inf_nan_mode="strings").decode("utf-8", "replace")
        return DeadLetterRow(
            self._clock.now_us(), error.field, error.value, error.rule, body[:MAX_LETTER_CHARS]
        )

    def _counted(self, appended: Appended) -> Appended:
        duplicates = appended.seqs.count(None)
        if duplicates:
            self._metrics.events.labels("duplicate").inc(duplicates)
        self._metrics.events.labels("accepted").inc(len(appended.seqs) - duplicates)
        return appended


def _check_size(message: object) -> None:
    size = len(to_json(message, inf_nan_mode="strings"))
    if size > MAX_MESSAGE_BYTES:
        raise EventError("message", f"{size} bytes", f"must be at most {MAX_MESSAGE_BYTES} bytes")


def _sum(taken: Sequence[Appended]) -> Appended:
    return Appended(
        tuple([seq for one in taken for seq in one.seqs]), sum(one.n_rewards for one in taken)
    )


def _told(
    taken: Sequence[Appended],
    rejected: Sequence[Mapping[str, Any]],
    visitor: str | None,
    last: Appended,
) -> Told:
    return Told(to_json(report(_sum([*taken, last]), rejected)), visitor)


def report(appended: Appended, rejected: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """What is answered to a tracker."""
    duplicates = appended.seqs.count(None)
    return {
        "success": True,
        "accepted": len(appended.seqs) - duplicates,
        "duplicates": duplicates,
        "rewards": appended.n_rewards,
        "rejected": list(rejected),
    }
