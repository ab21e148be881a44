"""Features of everybody on several processes: the same bits as on one."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from segments.batch import CHUNK, chunks, map_in_order, matrix
from segments.errors import SegmentsError
from segments.event import Event, Product
from segments.pipeline import Pipeline
from tests.segments.strategies import NOW, START


def crowd(n=700):
    pipeline = Pipeline()
    for i in range(n):
        at = START + timedelta(hours=i % 500)
        tea = (Product(category=f"Tea {i % 7}", price_cents=100 * i),)
        pipeline.observe(Event(f"m{i}", "Order Completed", f"v{i % (n // 2)}", at, products=tea), i)
    return pipeline


@pytest.mark.parametrize("n_processes", [None, 1, 2])
def test_the_number_of_processes_changes_nothing(n_processes, monkeypatch):
    monkeypatch.setattr("segments.batch.CHUNK", 64)
    pipeline = crowd()
    visitors, vectors = pipeline.matrix(NOW)
    found, rows = matrix(pipeline, NOW, n_processes)
    assert found == visitors
    assert rows.tobytes() == vectors.tobytes()


def test_results_come_in_the_order_of_what_was_asked_however_long_each_takes():
    assert list(map_in_order(np.arange, [9, 1, 0, 5], 1))[1].tolist() == [0]
    lengths = [len(part) for part in map_in_order(np.arange, [200_000, 1, 0, 5, 3, 7, 2], 2)]
    assert lengths == [200_000, 1, 0, 5, 3, 7, 2]


def test_only_a_few_chunks_are_in_memory_at_once():
    taken = []

    def source():
        for i in range(40):
            taken.append(i)
            yield i

    results = map_in_order(abs, source(), 2)
    assert next(results) == 0
    assert len(taken) <= 6
    results.close()


def test_what_goes_wrong_in_a_process_is_told():
    with pytest.raises(TypeError):
        list(map_in_order(abs, ["x", "y"], 2))


def test_chunks_hold_everything_once():
    assert [x for chunk in chunks(range(2 * CHUNK + 1), CHUNK) for x in chunk] == list(
        range(2 * CHUNK + 1)
    )


def test_a_moment_without_a_zone_and_no_process_are_refused():
    with pytest.raises(SegmentsError, match="must carry a timezone"):
        matrix(crowd(4), datetime(2026, 3, 1), 1)  # noqa: DTZ001  # what is refused
    with pytest.raises(SegmentsError, match="n_processes must be at least 1"):
        list(map_in_order(abs, [1], 0))
