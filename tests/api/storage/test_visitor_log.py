"""A store's visitors as they are, and as they were, read beside the service."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from api.loop.engine import Engine
from api.storage.base import StoreError
from api.storage.visitor_log import VisitorLog
from tests.api.cli.segments.shop import START, made, order, run


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> VisitorLog:
    return VisitorLog(made(tmp_path_factory.mktemp("shop")))


def test_visitors_of_now_are_those_of_the_whole_log(log: VisitorLog) -> None:
    """Saved profiles and their tail come to what all events come to."""
    at = log.latest() + timedelta(hours=1)
    visitors, vectors = log.pipeline().matrix(at)
    (crowd,) = log.crowds([at])
    assert set(crowd.visitors) == set(visitors)
    rows = [crowd.visitors.index(visitor) for visitor in visitors]
    np.testing.assert_allclose(crowd.vectors[rows], vectors, atol=1e-5)


def test_visitors_of_an_earlier_time_know_nothing_of_what_came_after(log: VisitorLog) -> None:
    early, late = log.crowds([START + timedelta(days=20.5), START + timedelta(days=41)])
    revenue = early.feature_names.index("revenue_cents")
    before, after = (crowd.vectors[crowd.visitors.index("v0"), revenue] for crowd in (early, late))
    assert before < after


def test_the_outcome_is_what_was_spent_in_the_days_after(log: VisitorLog) -> None:
    (crowd,) = log.crowds([START + timedelta(days=20.5)], outcome_days=10.0)
    assert crowd.outcome is not None
    spent = dict(zip(crowd.visitors, crowd.outcome.tolist(), strict=True))
    assert spent["v0"] == 10 * 12_000  # days 21 to 30
    assert spent["v1"] == 0.0  # their next order is on day 40


def test_an_order_counts_once_and_what_is_returned_not_at_all(tmp_path: Path) -> None:
    async def work(engine: Engine) -> None:
        first = order("ann", 1, 0, 10.0)
        sold = order("ann", 2, 2, 50.0)
        told_again = {**sold, "messageId": "pixel"}
        kept = order("ann", 3, 3, 20.0)
        refund = {**sold, "event": "Order Refunded", "messageId": "back"}
        await engine.intake.batch([first, sold, told_again, kept, refund], None, 0)

    run(tmp_path, work)
    (crowd,) = VisitorLog(tmp_path / "s.db").crowds([START + timedelta(days=1)], outcome_days=30)
    assert crowd.outcome is not None
    assert crowd.outcome.tolist() == [2_000.0]


def test_a_store_without_events_and_no_store_at_all_are_told_apart(tmp_path: Path) -> None:
    async def nothing(engine: Engine) -> None:
        assert engine.ready

    run(tmp_path, nothing)
    with pytest.raises(StoreError, match="holds no event yet"):
        VisitorLog(tmp_path / "s.db").latest()
    with pytest.raises(StoreError, match="cannot be read as a store"):
        VisitorLog(tmp_path / "none.db").fits()
