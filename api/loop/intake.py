"""Intake: messages as trackers send them, sorted into events and dead letters.

Good events of a batch are kept whatever its bad ones are; a bad one is kept too, with the reason.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import to_json

from api.ingest.segment import MAX_MESSAGE_BYTES, parse_message
from api.loop.clock import Clock
from api.loop.metrics import Metrics
from api.loop.observe import Observer
from api.loop.suppression import ErasedError, Suppression
from api.storage.base import Appended, DeadLetterRow, Store
from segments.event import Event, EventError

MAX_LETTER_CHARS = 32 * 1024
AT_ONCE = 100


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

    async def one(self, message: object, kind: str, body_bytes: int) -> Appended:
        """Take one message in.

        Args:
            message: As parsed from JSON.
            kind: The message's type, as the path says it.
            body_bytes: Size of the request; a small one cannot hold a message that is too large.

        Raises:
            EventError: It is refused, and kept as a dead letter.
        """
        try:
            event = self._parse(message, body_bytes, kind=kind)
        except EventError as error:
            if not isinstance(error, ErasedError):
                await self._store.append_dead_letters([self._letter(message, error)])
            self._metrics.events.labels("rejected").inc()
            raise
        return self._counted(await self._observer.observe([event]))

    async def batch(
        self, messages: Sequence[object], sent_at: object, body_bytes: int
    ) -> tuple[Appended, list[dict[str, Any]]]:
        """Take a batch in.

        Args:
            messages: Of any type, mixed.
            sent_at: `sentAt` of the batch.
            body_bytes: Size of the request; a small one cannot hold a message that is too large.

        Returns:
            What became of the good events, and {index, field, value, rule} of each bad one.
        """
        seqs: list[int | None] = []
        n_rewards = 0
        rejected: list[dict[str, Any]] = []
        for start in range(0, len(messages), AT_ONCE):
            chunk = messages[start : start + AT_ONCE]
            appended, faults = await self._chunk(chunk, start, sent_at, body_bytes)
            seqs += appended.seqs
            n_rewards += appended.n_rewards
            rejected += faults
        return Appended(tuple(seqs), n_rewards), rejected

    async def _chunk(
        self, messages: Sequence[object], start: int, sent_at: object, body_bytes: int
    ) -> tuple[Appended, list[dict[str, Any]]]:
        """A few messages of a batch: decisions come in between one chunk and the next."""
        events: list[Event] = []
        letters: list[DeadLetterRow] = []
        rejected: list[dict[str, Any]] = []
        for index, message in enumerate(messages, start):
            try:
                events.append(self._parse(message, body_bytes, sent_at=sent_at))
            except EventError as error:
                if not isinstance(error, ErasedError):  # nothing of theirs is kept
                    letters.append(self._letter(message, error))
                fault = {"field": error.field, "value": error.value, "rule": error.rule}
                rejected.append({"index": index, **fault})
        appended = self._observer.observe(events)  # at once: an erasure may come in between
        if letters:
            await self._store.append_dead_letters(letters)
        if rejected:
            self._metrics.events.labels("rejected").inc(len(rejected))
        return self._counted(await appended), rejected

    def _parse(self, message: object, body_bytes: int, **how: Any) -> Event:
        if body_bytes > MAX_MESSAGE_BYTES:
            _check_size(message)
        received_at = self._clock.now()
        trusts = self._clock.trusts_requests
        event = parse_message(message, received_at, trusts_clocks=trusts, **how)
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
