"""Features of everybody on several processes: the same bits as on one."""

from datetime import datetime, timedelta

import pytest

from segments.batch import CHUNK, chunks, matrix
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


@pytest.mark.parametrize("size", [64, 701, 1])
def test_chunks_change_nothing(size, monkeypatch):
    monkeypatch.setattr("segments.batch.CHUNK", size)
    monkeypatch.setattr("segments.batch.WORTH_A_POOL", 0)
    pipeline = crowd(200)
    visitors, vectors = pipeline.matrix(NOW)
    found, rows = matrix(pipeline, NOW)
    assert found == visitors
    assert rows.tobytes() == vectors.tobytes()


def test_nobody_is_asked_to_read_few_visitors():
    def never(*_):
        raise AssertionError

    assert len(matrix(crowd(4), NOW, never)[0]) == 2


def test_chunks_hold_everything_once():
    assert [x for chunk in chunks(range(2 * CHUNK + 1), CHUNK) for x in chunk] == list(
        range(2 * CHUNK + 1)
    )


@pytest.mark.parametrize("few", [0, 20_000])
def test_a_moment_without_a_zone_is_refused(few, monkeypatch):
    monkeypatch.setattr("segments.batch.WORTH_A_POOL", few)
    with pytest.raises(SegmentsError, match="must carry a timezone"):
        matrix(crowd(4), datetime(2026, 3, 1))  # noqa: DTZ001  # what is refused
