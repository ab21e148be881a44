"""What it is to map a function over shards: ordered, bounded, and failing by name.

Where it stands: evaluations, experiments and segments cut their work into shards and are handed one
of these; `local` and `ray` do the work, `where` opens the one that was asked for.
"""

import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from threadpoolctl import threadpool_limits

Shard = TypeVar("Shard")
Part = TypeVar("Part")

AHEAD = 2
"""Shards that are under way or waiting to be asked for, for each process."""
NAME_CHARACTERS = 300


class ShardError(RuntimeError):
    """A shard that could not be worked on, or nowhere to work on it."""


class MapShards(Protocol):
    """Applies a function to every shard; results come in the order of the shards.

    The same shards give the same bits wherever they are worked on, as long as the processors are of
    one kind: each is worked on by itself, with one thread, and whoever adds results up does so in
    their order. The built-in `map` is the simplest of these.
    """

    def __call__(self, work: Callable[[Shard], Part], shards: Iterable[Shard], /) -> Iterable[Part]:
        """Results, of which only a few more than there are processes are in memory at once.

        Args:
            work: A function, or an object that can be called; it must be able to travel to another
                process, as must shards and results.
            shards: What it is called with.

        Raises:
            ShardError: A process ended on the way, or the error has no way back.
            Exception: What `work` raised first, in the order of the shards; a note on it names the
                shard.
        """


@dataclass(frozen=True, slots=True)
class OneThread(Generic[Shard, Part]):
    """Work as it is done in a process: with one thread, and errors that can travel back.

    Example:
        >>> OneThread(len)("shard")
        5
    """

    work: Callable[[Shard], Part]

    def __call__(self, shard: Shard) -> Part:
        """The result for one shard.

        Raises:
            ShardError: In place of an error that cannot be made anew in another process.
            Exception: Any other that the work raises.
        """
        with threadpool_limits(1):
            try:
                return self.work(shard)
            except Exception as error:
                if _can_travel(error):
                    raise
                raise ShardError(f"{type(error).__name__}: {error}") from None


def _can_travel(error: Exception) -> bool:
    """Whether it can be made anew from its arguments, as a process does that receives it."""
    try:
        copy.copy(error)
    except Exception:  # whatever its constructor says
        return False
    return True


def noted(error: BaseException, number: int, shard: object) -> BaseException:
    """The same error with a note that names the shard.

    Example:
        >>> noted(ValueError("no"), 3, "rows 9").__notes__
        ["in shard 3: 'rows 9'"]
    """
    error.add_note(f"in shard {number}: {_name(shard)}")
    return error


def lost(number: int, shard: object, cause: object) -> ShardError:
    """What is said of a shard whose process ended."""
    return ShardError(
        f"shard {number} ({_name(shard)}): the process that worked on it, or beside it, ended: "
        f"{cause}; was memory short? try fewer processes or smaller shards"
    )


def told(map_shards: MapShards, on_done: Callable[[int], None]) -> MapShards:
    """The same, which says how many shards are done after each, for a progress bar.

    Example:
        >>> list(told(map, print)(abs, [-3, 2]))
        1
        2
        [3, 2]
    """

    def mapped(work: Callable[[Any], Any], shards: Iterable[Any], /) -> Iterator[Any]:
        for number, part in enumerate(map_shards(work, shards), 1):
            on_done(number)
            yield part

    return mapped


def _name(shard: object) -> str:
    text = repr(shard)
    return text if len(text) <= NAME_CHARACTERS else f"{text[:NAME_CHARACTERS]}…"
