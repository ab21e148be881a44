"""A reward says exactly what conversions are worth to one decision."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.errors import RewardSpecError
from policy.reward.conversion import Conversion, Line
from policy.reward.spec import LARGEST_REWARD, CountedEvent, Earning, RewardSpec

ORDER = Conversion(
    "Order Completed",
    revenue_cents=1250,
    lines=(
        Line("p1", "BEEF", "Own", 700),
        Line("p2", "SOUP", "Own", 300),
        Line("p3", "BEEF", None, 250),
    ),
)
ADDED = Conversion("Product Added", 300, (Line("p2", "SOUP", "Own", 300),))


def total(spec: RewardSpec, *worths: float, **how: Any) -> float | None:
    earnings = [Earning(at, worth) for at, worth in enumerate(worths)]
    return spec.total(earnings, how.get("reported"), closed=how.get("closed", False))


@pytest.mark.parametrize(
    ("spec", "matched", "worth"),
    [
        (RewardSpec("Order Completed"), None, 1.0),
        (RewardSpec("Order Completed", match="category"), "BEEF", 1.0),
        (RewardSpec("Order Completed", match="category"), "EGGS", 0.0),
        (RewardSpec("Order Completed", match="category"), None, 0.0),
        (RewardSpec("Order Completed", match="brand", value="revenue"), "Own", 10.0),
        (RewardSpec("Order Completed", match="product_id", value="revenue"), "p3", 2.5),
        (RewardSpec("Order Completed", value="revenue"), None, 12.5),
        (RewardSpec("Order Completed", match="category", default=-0.1), "EGGS", -0.1),
        (RewardSpec("Order Completed", match="category", aggregation="last"), "EGGS", 0.0),
        (RewardSpec("Order Completed", match="category", aggregation="sum"), "EGGS", None),
        (RewardSpec("Order Completed", match="category", aggregation="max"), "EGGS", None),
        (RewardSpec("Order Completed", match="category", aggregation="mean"), "EGGS", None),
        (RewardSpec("Order Completed", value="0.5 * revenue - 10"), None, -3.75),
    ],
)
def test_the_worth_of_a_conversion(spec: RewardSpec, matched: str | None, worth: float) -> None:
    assert spec.worth(ORDER, matched) == pytest.approx(worth)


def test_each_kind_of_event_has_its_weight_and_value() -> None:
    events = (
        CountedEvent("Order Completed", value="revenue"),
        CountedEvent("Product Added", weight=0.1),
    )
    spec = RewardSpec(events=events)
    assert spec.worth(ORDER, None) == 12.5
    assert spec.worth(ADDED, None) == 0.1


def test_a_single_conversion_counts_for_no_more_than_the_largest_reward() -> None:
    huge = Conversion("Order Completed", 10**12)
    for weight in (1.0, -1.0, 1e6):
        event = CountedEvent("Order Completed", weight, "revenue * revenue")
        assert event.worth(huge) == LARGEST_REWARD * (1 if weight > 0 else -1)


@pytest.mark.parametrize(
    ("aggregation", "reward"),
    [("first", 3.0), ("last", 2.0), ("sum", 4.0), ("max", 3.0), ("mean", 4 / 3)],
)
def test_several_conversions_come_to_one_reward(aggregation: str, reward: float) -> None:
    """In the order in which they happened, whichever was heard of first."""
    spec = RewardSpec("Order Completed", aggregation=aggregation)
    earnings = [Earning(9, 2.0), Earning(1, 3.0), Earning(5, -1.0)]
    for heard in (earnings, earnings[::-1]):
        assert spec.total(heard, None, closed=False) == pytest.approx(reward)


def test_of_one_instant_the_first_that_was_heard_of_is_first() -> None:
    earnings = [Earning(1, 3.0), Earning(1, 2.0)]
    first, last = (RewardSpec("Order Completed", aggregation=how) for how in ("first", "last"))
    assert first.total(earnings, None, closed=True) == 3.0
    assert last.total(earnings, None, closed=True) == 2.0


def test_an_open_window_is_not_yet_a_zero() -> None:
    spec = RewardSpec("Order Completed", default=-0.5)
    assert total(spec) is None
    assert total(spec, closed=True) == -0.5
    assert total(spec, 1.0, closed=True) == 1.0
    assert total(spec, reported=0.0, closed=True) == 0.0
    assert total(spec, 1.0, reported=-0.25) == 0.75


def test_the_reward_of_a_decision_is_clipped_not_its_parts() -> None:
    spec = RewardSpec("Order Completed", aggregation="sum", clip=(-1.0, 2.0))
    assert total(spec, 5.0, -4.0) == 1.0
    assert total(spec, 5.0) == 2.0
    assert total(spec, 5.0, reported=-9.0) == -1.0
    assert total(spec, reported=1e6) == 2.0


@given(
    worths=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=9),
    aggregation=st.sampled_from(["first", "last", "sum", "max", "mean"]),
    reported=st.none() | st.floats(-1e6, 1e6),
)
def test_clipping_bounds_every_aggregation(
    worths: list[float], aggregation: str, reported: float | None
) -> None:
    spec = RewardSpec("Order Completed", aggregation=aggregation, clip=(-2.0, 3.0))
    reward = total(spec, *worths, reported=reported)
    assert reward is not None
    assert -2.0 <= reward <= 3.0


ADDS = CountedEvent("Product Added")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"match": "colour"}, "match is 'colour': must be one of category"),
        ({"value": "clicks"}, "value is 'clicks': there is 'clicks' at character 1"),
        ({"aggregation": "median"}, "aggregation is 'median': must be one of first"),
        ({"activation": "seen"}, "activation is 'seen': must be one of decided, shown"),
        ({"window_minutes": 0}, "window_minutes is 0: must be at least 1"),
        ({"default": float("nan")}, "default is nan: must be a finite number"),
        ({"clip": (1.0, 1.0)}, r"clip is \[1.0, 1.0\]: .*the lower one first"),
        ({"clip": (2.0, 1.0)}, r"clip is \[2.0, 1.0\]"),
        ({"clip": (float("nan"), 1.0)}, "two finite numbers"),
        ({"clip": (0.0, float("inf"))}, "two finite numbers"),
        ({"clip": (0.0, 1.0), "default": -0.5}, r"default is -0.5: must lie within clip"),
        ({"event": None}, "event is None: must name"),
        ({"events": (ADDS,)}, "event is 'Order Completed': is for a single event"),
        ({"event": None, "value": "revenue", "events": (ADDS,)}, "value is 'revenue'"),
        ({"event": None, "events": (ADDS, ADDS)}, "'Product Added': is there more than once"),
        ({"event": "Order Refunded"}, "event is 'Order Refunded': takes back by itself"),
        ({"event": "Order Cancelled"}, "event is 'Order Cancelled'"),
    ],
)
def test_a_specification_without_meaning_is_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(RewardSpecError, match=said):
        RewardSpec(**{"event": "Order Completed", **arguments})


@pytest.mark.parametrize("weight", [0.0, float("nan"), float("inf"), 2e6])
def test_a_weight_without_meaning_is_refused(weight: float) -> None:
    with pytest.raises(RewardSpecError, match="weight is"):
        CountedEvent("Product Added", weight)
