"""Numbers for the policy: every entry where its name says, and nothing that is not finite."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.catalog.action import Action
from policy.encoder import ContextEncoder, ContextField, PairEncoder
from policy.errors import CatalogError, ContextError, ParameterError

FIELDS = (ContextField("cart_items"), ContextField("device", ("desktop", "mobile")))
CONTEXT = ContextEncoder(("recency_days", "frequency"), FIELDS, 3)
PROFILE = np.array([0.25, 0.5], np.float32)


def named(values: np.ndarray) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in zip(CONTEXT.names, values, strict=True)
        if value != 0.0
    }


def test_every_entry_is_where_its_name_says() -> None:
    encoded = CONTEXT.encode(PROFILE, 2, {"device": "mobile", "cart_items": 3})
    assert encoded.dtype == np.float32
    assert named(encoded) == {
        "intercept": 1.0,
        "recency_days": 0.25,
        "frequency": 0.5,
        "segment_2": 1.0,
        "cart_items": 3.0,
        "device=mobile": 1.0,
    }


def test_what_is_left_out_is_zero() -> None:
    known = {"intercept": 1.0, "recency_days": 0.25, "frequency": 0.5}
    assert named(CONTEXT.encode(PROFILE, None, {})) == known
    assert named(CONTEXT.encode(PROFILE, None, {"device": None, "cart_items": None})) == known


def test_true_counts_as_one() -> None:
    assert named(CONTEXT.encode(PROFILE, None, {"cart_items": True}))["cart_items"] == 1.0


def test_decisions_do_not_share_memory() -> None:
    CONTEXT.encode(PROFILE, 1, {"cart_items": 9})[:] = 7.0
    assert "cart_items" not in named(CONTEXT.encode(PROFILE, None, {}))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"cart": 1}, "no such field; did you mean 'cart_items'?"),
        ({"cart_items": "3"}, "must be a number"),
        ({"cart_items": [1]}, "must be a number"),
        ({"cart_items": float("nan")}, "must be a finite number within"),
        ({"cart_items": float("-inf")}, "must be a finite number within"),
        ({"cart_items": 10**400}, "must be a finite number within"),
        ({"device": "fridge"}, "must be one of the texts ['desktop', 'mobile']"),
        ({"device": 1}, "must be one of the texts"),
        ({"device": ["mobile"]}, "must be one of the texts"),
        ({"device": "x" * 1_000_000}, "must be one of the texts"),
    ],
)
def test_a_refusal_names_field_value_and_rule(values: dict[str, object], message: str) -> None:
    with pytest.raises(ContextError) as caught:
        CONTEXT.encode(PROFILE, None, values)
    assert message in str(caught.value)
    assert repr(next(iter(values))) in str(caught.value)
    assert len(str(caught.value)) < 400


def test_another_profile_or_segment_is_refused() -> None:
    with pytest.raises(ContextError, match="profile"):
        CONTEXT.encode(np.zeros(3, np.float32), None, {})
    with pytest.raises(ContextError, match="segment"):
        CONTEXT.encode(PROFILE, 3, {})


def test_a_field_that_could_not_be_told_apart_is_refused() -> None:
    with pytest.raises(ParameterError, match="distinct"):
        ContextEncoder(("cart_items",), FIELDS, 0)
    with pytest.raises(ParameterError, match="distinct"):
        ContextField("device", ("a", "a"))
    with pytest.raises(ParameterError, match="needs a name"):
        ContextField("")


PAIR = PairEncoder(
    ("margin", "discount"),
    (("cart_items", "discount"), ("intercept", "margin"), ("recency_days", "category_affinity")),
    CONTEXT.names,
)
ACTIONS = (
    Action("a", "offer", features=(("discount", 0.5), ("margin", 0.25))),
    Action("b", "offer", features=(("margin", 2.0),)),
    Action("c", "content"),
)


@settings(deadline=None)
@given(
    st.lists(st.floats(0, 1), min_size=3, max_size=3),
    st.lists(st.floats(0, 1), min_size=3, max_size=3),
    st.floats(-1e3, 1e3),
)
def test_pair_features_are_what_their_names_say(
    category: list[float], brand: list[float], cart: float
) -> None:
    context = CONTEXT.encode(PROFILE, None, {"cart_items": cart})
    features = PAIR.encode(context, PAIR.static(ACTIONS), np.array(category), np.array(brand))
    of_context = dict(zip(CONTEXT.names, context, strict=True))
    assert features.dtype == np.float32
    assert features.shape == (3, len(PAIR.names))
    for row, action in enumerate(ACTIONS):
        of_action = {
            "intercept": np.float32(1),
            "category_affinity": np.float32(category[row]),
            "brand_affinity": np.float32(brand[row]),
            "margin": np.float32(0),
            "discount": np.float32(0),
        } | {name: np.float32(value) for name, value in action.features}
        for name, value in zip(PAIR.names, features[row], strict=True):
            expected = of_action.get(name)
            if expected is None:
                left, right = name.split("*")
                expected = of_context[left] * of_action[right]
            assert value == expected


def test_prepared_actions_encode_as_fresh_ones_and_stay_as_they_are() -> None:
    context, half = CONTEXT.encode(PROFILE, 1, {"cart_items": 2}), np.full(3, 0.5)
    prepared = PAIR.static(ACTIONS)
    before = prepared.matrix.tobytes()
    features = PAIR.encode(context, prepared, half, half)
    assert features.tobytes() == PAIR.encode(context, ACTIONS, half, half).tobytes()
    some = prepared.subset([2, 0])
    assert some.ids == ("c", "a")
    assert PAIR.encode(context, some, half[:2], half[:2]).tolist() == features[[2, 0]].tolist()
    assert prepared.matrix.tobytes() == before


def test_an_undeclared_action_feature_is_refused() -> None:
    with pytest.raises(CatalogError, match=r"'x' has feature 'marge'.*did you mean 'margin'\?"):
        PAIR.static([Action("x", "offer", features=(("marge", 1.0),))])


@pytest.mark.parametrize(
    ("crosses", "message"),
    [
        ((("cart", "margin"),), "did you mean 'cart_items'"),
        ((("cart_items", "marge"),), "did you mean 'margin'"),
        ((("cart_items", "margin"),) * 2, "distinct"),
    ],
)
def test_an_impossible_cross_is_refused(crosses: tuple[tuple[str, str], ...], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        PairEncoder(("margin",), crosses, CONTEXT.names)
