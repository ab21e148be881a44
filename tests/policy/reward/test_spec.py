"""A reward says exactly what a conversion is worth to one decision."""

import pytest

from policy.reward.spec import Conversion, Line, RewardSpec, RewardSpecError

ORDER = Conversion(
    "Order Completed",
    revenue_cents=1250,
    lines=(
        Line("p1", "BEEF", "Own", 700),
        Line("p2", "SOUP", "Own", 300),
        Line("p3", "BEEF", None, 250),
    ),
)


@pytest.mark.parametrize(
    ("spec", "matched", "reward"),
    [
        (RewardSpec("Order Completed"), None, 1.0),
        (RewardSpec("Order Completed", match="category"), "BEEF", 1.0),
        (RewardSpec("Order Completed", match="category"), "EGGS", 0.0),
        (RewardSpec("Order Completed", match="category"), None, 0.0),
        (RewardSpec("Order Completed", match="brand", value="revenue"), "Own", 10.0),
        (RewardSpec("Order Completed", match="product_id", value="revenue"), "p3", 2.5),
        (RewardSpec("Order Completed", value="revenue"), None, 12.5),
        (RewardSpec("Order Completed", match="category", default=-0.1), "EGGS", -0.1),
    ],
)
def test_reward_of_a_conversion(spec: RewardSpec, matched: str | None, reward: float) -> None:
    assert spec.reward(ORDER, matched) == pytest.approx(reward)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"match": "colour"}, "colour"),
        ({"value": "clicks"}, "clicks"),
        ({"aggregation": "median"}, "median"),
        ({"window_minutes": 0}, "at least 1"),
        ({"default": float("nan")}, "finite"),
    ],
)
def test_a_specification_without_meaning_is_refused(
    arguments: dict[str, object], said: str
) -> None:
    with pytest.raises(RewardSpecError, match=said):
        RewardSpec("Order Completed", **arguments)  # type: ignore[arg-type]  # wrong on purpose
