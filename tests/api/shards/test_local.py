"""Shards on this machine: in order, bounded, and failing by name."""

import doctest
import os
import signal
from collections.abc import Callable, Iterator
from types import ModuleType

import numpy as np
import pytest

from api.shards import base, local, where
from api.shards.base import OneThread, ShardError, told
from api.shards.local import Local
from api.shards.where import opened
from simulator.errors import WorldError


def refuse(shard: int) -> int:
    if shard == 3:
        raise ValueError("three is one too many")
    return shard


def refuse_a_world(shard: int) -> int:
    raise WorldError("shard", shard, "must be a world")


def die(shard: int) -> int:
    if shard == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return shard


def threads(_: int) -> list[int]:
    from threadpoolctl import threadpool_info

    _ = np.ones((2, 2)) @ np.ones((2, 2))
    return [int(one["num_threads"]) for one in threadpool_info()]


@pytest.fixture(scope="module")
def pool() -> Iterator[Local]:
    with Local(2) as opened_pool:
        yield opened_pool


def test_results_come_in_the_order_of_the_shards_however_long_each_takes(pool: Local) -> None:
    lengths = [200_000, 1, 0, 5, 3, 7, 2]
    assert [len(part) for part in pool(np.arange, lengths)] == lengths
    assert list(pool(abs, [])) == []


@pytest.mark.parametrize("processes", [1, 2])
def test_only_a_few_shards_are_in_memory_at_once(processes: int, pool: Local) -> None:
    taken: list[int] = []

    def source() -> Iterator[int]:
        for i in range(40):
            taken.append(i)
            yield i

    results = iter((pool if processes == 2 else Local(1))(abs, source()))
    assert next(results) == 0
    assert len(taken) <= 1 + 2 * processes
    assert list(results) == list(range(1, 40))


def test_who_stops_reading_leaves_nothing_behind(pool: Local) -> None:
    results = iter(pool(abs, range(40)))
    next(results)
    results.close()  # type: ignore[attr-defined]  # it is a generator
    assert list(pool(abs, [-1])) == [1]


@pytest.mark.parametrize("processes", [1, 2])
def test_an_error_names_its_shard_and_stays_what_it_was(processes: int, pool: Local) -> None:
    results = iter((pool if processes == 2 else Local(1))(refuse, range(9)))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three is one too many") as caught:
        next(results)
    assert caught.value.__notes__ == ["in shard 3: 3"]


def test_an_error_that_cannot_travel_is_told_in_words(pool: Local) -> None:
    with pytest.raises(ShardError, match="WorldError: shard is 7: must be a world"):
        list(pool(refuse_a_world, [7]))


def test_a_process_that_is_killed_is_told_with_the_remedy() -> None:
    with Local(2) as own:
        for _ in range(2):  # also where it is asked again
            with pytest.raises(ShardError, match=r"shard \d .*fewer processes"):
                list(own(die, range(9)))


def test_each_shard_has_one_thread(pool: Local) -> None:
    assert set(threads_of(Local(1))) == set(threads_of(pool)) == {1}


def threads_of(backend: Local) -> list[int]:
    return next(iter(backend(threads, [0])))


def test_progress_is_told_shard_by_shard() -> None:
    done: list[int] = []
    assert list(told(map, done.append)(abs, [-3, 2])) == [3, 2]
    assert done == [1, 2]


def test_no_process_starts_before_it_is_needed() -> None:
    with Local(64) as idle:
        assert idle._pool is None


@pytest.mark.parametrize("word", ["dask", "ray:", "ray://", ""])
def test_another_backend_is_refused(word: str) -> None:
    with pytest.raises(ShardError, match="must be local, ray, or ray://HOST:PORT"):
        opened(word)
    with pytest.raises(ShardError, match="processes is 0"):
        Local(0)


@pytest.mark.parametrize("module", [base, local, where])
def test_examples_run(module: ModuleType) -> None:
    failed, tried = doctest.testmod(module)
    assert (failed, tried > 0) == (0, True)


def test_one_thread_changes_no_result() -> None:
    work: Callable[[int], int] = OneThread(abs)
    assert work(-2) == 2
