"""What conditions ask, and what is answered."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from api.loop.clock import to_us
from api.loop.facts import FactReader, vocabulary
from api.settings import ActionSettings, PlacementSettings
from policy.catalog.condition.tree import Field
from segments.event import Event
from segments.pipeline import Pipeline

NOW = datetime(2026, 11, 27, 23, 30, tzinfo=UTC)  # a Friday
ACTION = ActionSettings(id="tea", features={"margin": 0.3})
PLACEMENT = PlacementSettings(
    name="home",
    actions=("tea",),
    default="tea",
    context={"device": ["mobile", "desktop"], "cart items": "number"},
)


def read(*fields: Field, context: dict[str, object] | None = None, hours: int = 0) -> list[object]:
    pipeline = Pipeline()
    for number in range(3):
        moment = NOW - timedelta(days=10 * number + 5)
        pipeline.observe(
            Event(f"m{number}", "Order Completed", "ann", moment, revenue_cents=1_000), number
        )
    reader = FactReader(fields, timezone(timedelta(hours=hours)))
    return reader.read(pipeline.look("ann", NOW), "s1", context or {}, to_us(NOW))


def test_every_feature_can_be_asked_and_reads_in_natural_units() -> None:
    known = vocabulary(PLACEMENT, [ACTION])
    for name in Pipeline.feature_names:
        field = Field("profile", name)
        (value,) = read(field)
        assert isinstance(value, bool if known[field].kind == "flag" else float)
    names = ("orders", "recency_days", "revenue_cents", "purchase_interval_days")
    values = read(*(Field("profile", name) for name in names))
    assert values == pytest.approx([3, 5, 3_000, 10], rel=1e-12)


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        (0, [23, "fri", datetime(2026, 11, 27).date()]),  # noqa: DTZ001  # a date has no zone
        (1, [0, "sat", datetime(2026, 11, 28).date()]),  # noqa: DTZ001
        (-8, [15, "fri", datetime(2026, 11, 27).date()]),  # noqa: DTZ001
    ],
)
def test_time_is_that_of_the_shop(hours: int, expected: list[object]) -> None:
    assert read(*(Field("time", name) for name in ("hour", "weekday", "date")), hours=hours) == (
        expected
    )


def test_a_context_reads_as_it_was_sent_and_its_absence_is_none() -> None:
    fields = (Field("context", "cart items"), Field("context", "device"), Field("segment"))
    assert read(*fields, context={"cart items": 3, "device": None}) == [3, None, "s1"]
    assert read(*fields) == [None, None, "s1"]


def test_the_vocabulary_is_of_this_placement() -> None:
    known = vocabulary(PLACEMENT, [ACTION])
    assert known[Field("context", "device")].values == ("mobile", "desktop")
    assert known[Field("context", "cart items")].kind == "number"
    assert Field("action", "margin") in known
    assert Field("action", "margin") not in vocabulary(PLACEMENT, [])


def test_nothing_asked_is_nothing_read() -> None:
    assert read() == []
