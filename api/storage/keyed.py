"""Requests that name themselves: done once, however often they are sent, and answered alike.

Functions of a connection that run inside the writer's transaction, with the rows that a request
brings: whoever sends it again finds either both, its rows and its answer, or neither.

References:
    IETF, draft-ietf-httpapi-idempotency-key-header, "The Idempotency-Key HTTP Header Field".
"""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from api.storage.base import RepeatedRequestError

T = TypeVar("T")


class KeyedRequest(NamedTuple):
    """A request under a key of its own.

    Args:
        name: Stands for whose it is, which route, and its key; 16 bytes.
        fingerprint: Of what was asked; 32 bytes.
        at_us: When, in microseconds since 1970.
    """

    name: bytes
    fingerprint: bytes
    at_us: int


class Told(NamedTuple):
    """What a request was answered.

    Args:
        answer: The body.
        visitor: Whom it is about, where that is one.
    """

    answer: bytes
    visitor: str | None = None


@dataclass(frozen=True, slots=True)
class Keyed(Generic[T]):
    """A keyed request, and what it is answered when its rows came to a result.

    Args:
        request: The request.
        told: From the result to the answer; None for a refusal, which changed nothing and is not
            remembered. It runs on the writer's thread.
    """

    request: KeyedRequest
    told: Callable[[T], Told | None]


Work = Callable[[sqlite3.Connection], T]


def once(work: Work[T], keyed: Keyed[T] | None) -> Work[T]:
    """The same work, done once for each key.

    Args:
        work: A function of the connection, in the writer's transaction.
        keyed: None for a request without a key.
    """
    if keyed is None:
        return work

    def guarded(connection: sqlite3.Connection) -> T:
        recall(connection, keyed.request)
        result = work(connection)
        told = keyed.told(result)
        if told is not None:
            remember(connection, keyed.request, told)
        return result

    return guarded


def recall(connection: sqlite3.Connection, request: KeyedRequest) -> None:
    """Let a request pass that was not answered before.

    Raises:
        RepeatedRequestError: It was, or its key belongs to another.
    """
    row = connection.execute(
        "SELECT fingerprint, answer FROM answers WHERE name = ?", (request.name,)
    ).fetchone()
    if row is None:
        return
    fingerprint, answer = row
    if fingerprint != request.fingerprint:
        raise RepeatedRequestError(None)
    if answer is not None:
        raise RepeatedRequestError(answer)


def claim(connection: sqlite3.Connection, request: KeyedRequest) -> None:
    """Take the key for a request that needs several transactions; `remember` ends it.

    After a crash in between the same request may go on; what it had done by then must be known by
    ids of its own.

    Raises:
        RepeatedRequestError: As `recall`.
    """
    recall(connection, request)
    connection.execute(
        """INSERT INTO answers (name, fingerprint, answered_at_us) VALUES (?, ?, ?)
           ON CONFLICT (name) DO NOTHING""",
        request,
    )


def remember(connection: sqlite3.Connection, request: KeyedRequest, told: Told) -> None:
    """Keep what a request is answered."""
    connection.execute(
        """INSERT INTO answers (name, fingerprint, answered_at_us, answer, visitor)
           VALUES (?, ?, ?, ?, ?)
           ON CONFLICT (name) DO UPDATE SET answer = excluded.answer, visitor = excluded.visitor""",
        (*request, *told),
    )


def forget(connection: sqlite3.Connection, request: KeyedRequest) -> None:
    """Let a key go whose answer nobody was told."""
    connection.execute("DELETE FROM answers WHERE name = ?", (request.name,))
