"""JSON as a fixed number of features: nothing of it depends on order, and inner products hold."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.catalog.action import Action
from policy.encoder import ContextEncoder, ContextField, PairEncoder
from policy.errors import ContextError, ParameterError
from policy.hashing import MOST_HASHED, MOST_LEAVES, FeatureHasher, circulant, hashed_names

NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=20,
)
OBJECTS = st.dictionaries(st.text(max_size=3), JSON, max_size=5)
HASHER = FeatureHasher(16, "test")


@settings(max_examples=50)
@given(st.lists(OBJECTS, max_size=3))
def test_any_json_becomes_finite_numbers_and_always_the_same(features: list[Any]) -> None:
    encoded = HASHER.encode(features)
    assert encoded.shape == (16,)
    assert encoded.dtype == np.float32
    assert np.isfinite(encoded).all()
    np.testing.assert_array_equal(HASHER.encode(json.loads(json.dumps(features))), encoded)


@settings(max_examples=50)
@given(OBJECTS)
def test_the_order_of_keys_and_of_objects_does_not_matter(features: dict[str, Any]) -> None:
    turned = dict(reversed(features.items()))
    apart = [{key: value} for key, value in features.items()]
    for same in (turned, [features], apart):
        np.testing.assert_allclose(HASHER.encode(same), HASHER.encode(features), atol=1e-3)


def test_leaves_count_as_said() -> None:
    def size(features: Any) -> float:
        return float(np.abs(HASHER.encode({"x": features})).sum())

    assert size("red") == size(True) == size(["red"]) == size({"y": {"z": True}}) == 1
    assert size(False) == size(None) == size(0) == size([]) == size({}) == 0
    assert size(0.01) == pytest.approx(0.01, abs=1e-6)
    assert size(500) == pytest.approx(np.arcsinh(500))
    np.testing.assert_array_equal(HASHER.encode({"x": -2}), -HASHER.encode({"x": 2}))


def test_a_text_is_a_feature_of_its_own_and_a_list_of_them_a_bag() -> None:
    wide = FeatureHasher(MOST_HASHED, "test")
    assert (wide.encode({"colour": "red"}) != wide.encode({"colour": "blue"})).any()
    assert (wide.encode({"a": {"b": "c"}}) != wide.encode({"a": "b", "b": "c"})).any()
    np.testing.assert_array_equal(
        wide.encode({"tags": ["x", "y"]}), wide.encode({"tags": ["y", "x"]})
    )
    assert (wide.encode({"v": [1, 2]}) != wide.encode({"v": [2, 1]})).any()


def test_namespaces_hash_independently() -> None:
    features = {f"k{i}": True for i in range(20)}
    others = FeatureHasher(16, "other").encode(features)
    assert (HASHER.encode(features) != others).any()


def test_inner_products_are_right_on_average() -> None:
    """Over many namespaces, which are as many draws of the hash: E[v(a)·v(b)] = a·b."""
    a = {f"k{i}": True for i in range(12)}
    b = {f"k{i}": True for i in range(6, 18)}
    hashers = [FeatureHasher(16, f"draw {i}") for i in range(2_000)]
    products = [float(hasher.encode(a) @ hasher.encode(b)) for hasher in hashers]
    deviation = np.std(products) / np.sqrt(len(products))
    assert abs(np.mean(products) - 6) < 4 * deviation
    assert np.var(products) < 2 * 12 * 12 / 16


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400])
def test_what_is_no_number_is_refused_by_its_path(value: float) -> None:
    with pytest.raises(ContextError, match=r"'a\.b\[1\]'.* finite number"):
        HASHER.encode([{"a": {"b": [1, value]}}])


def test_too_many_values_are_refused() -> None:
    HASHER.encode([{"k": ["v"] * MOST_LEAVES}])
    with pytest.raises(ContextError, match="over 1000 values"):
        HASHER.encode([{"k": ["v"] * (MOST_LEAVES + 1)}])


@pytest.mark.parametrize("n_features", [0, MOST_HASHED + 1])
def test_the_number_of_features_is_bounded(n_features: int) -> None:
    with pytest.raises(ParameterError, match="n_features"):
        FeatureHasher(n_features, "test")


@given(st.integers(1, 12), st.data())
def test_the_circulant_hashes_every_product(n: int, data: st.DataObject) -> None:
    whole = st.lists(st.integers(-9, 9), min_size=n, max_size=n)
    a, c = (np.array(data.draw(whole)) for _ in range(2))
    expected = np.zeros(n, int)
    for i, j in itertools.product(range(n), repeat=2):
        expected[(i + j) % n] += a[i] * c[j]
    np.testing.assert_array_equal(a @ c[circulant(n)], expected)


def test_pairs_hold_the_products_of_both_sides() -> None:
    names = hashed_names(3)
    contexts = ContextEncoder((), [ContextField(name) for name in names], 0)
    pairs = PairEncoder(("discount", *names), (), contexts.names, 3)
    assert pairs.names[-3:] == ("hashed_product_0", "hashed_product_1", "hashed_product_2")
    context = contexts.encode(np.zeros(0, np.float32), None, {"hashed_1": 2.0, "hashed_2": -1.0})
    actions = [Action("a", "offer", features=(("hashed_2", 3.0),)), Action("b", "offer")]
    encoded = pairs.encode(context, actions, 0.0, 0.0)
    np.testing.assert_array_equal(encoded[0, -6:], [0, 0, 3, 6, -3, 0])
    np.testing.assert_array_equal(encoded[1, -6:], np.zeros(6))
