"""The features approximate their kernel, whatever the units."""

from __future__ import annotations

import numpy as np
import pytest

from policy.bandits.random_features import RandomFeatures
from policy.errors import StateError


def contexts(rng: np.random.Generator, n: int) -> np.ndarray:
    x = rng.normal(size=(n, 6))
    x[:, 0] = 1.0
    x[:, 1] = rng.random(n) < 0.1
    return x


def made(n_features: int = 64, scale: float = 1.0) -> RandomFeatures:
    features = RandomFeatures(6, n_features)
    features.fit(contexts(np.random.default_rng(0), 100) * scale)
    return features


def test_products_are_the_kernel() -> None:
    """exp(-d² / (2 ℓ²)) with ℓ² = n_varying in standardised units, 5 entries vary."""
    features, rng = made(4_096), np.random.default_rng(1)
    x, y = contexts(rng, 60), contexts(rng, 60)
    x[:, 1] = y[:, 1] = 0.0  # the rest has standard deviation 1, which is a power of two
    kernel = np.exp(-np.square(x - y)[:, 2:].sum(axis=1) / (2.0 * 5.0))
    found = [features.transform(a) @ features.transform(b) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(found, kernel, atol=0.05)


def test_every_row_has_length_one() -> None:
    features = made()
    for x in contexts(np.random.default_rng(2), 20) * 100.0:
        assert np.linalg.norm(features.transform(x)) == pytest.approx(1.0)


@pytest.mark.parametrize("scale", [1e-3, 1024.0, 1e5])
def test_units_do_not_matter(scale: float) -> None:
    """Powers of two exactly; others as far as scales are rounded to them."""
    x = contexts(np.random.default_rng(3), 50)
    x[:, 1] = 0.0
    plain, scaled = made(256), made(256, scale)
    products = [
        plain.transform(a) @ plain.transform(b) for a, b in zip(x[::2], x[1::2], strict=True)
    ]
    others = [
        scaled.transform(a * scale) @ scaled.transform(b * scale)
        for a, b in zip(x[::2], x[1::2], strict=True)
    ]
    np.testing.assert_allclose(others, products, atol=0.3)
    assert np.corrcoef(others, products)[0, 1] > 0.95


def test_one_context_more_or_less_leaves_the_map_as_it_is() -> None:
    x = contexts(np.random.default_rng(4), 101)
    whole, less = RandomFeatures(6, 16), RandomFeatures(6, 16)
    whole.fit(x)
    same = 0
    for out in range(101):
        less.fit(np.delete(x, out, axis=0))
        same += whole.is_same(less)
    assert same > 90


def test_constant_and_outlying_entries_do_no_harm() -> None:
    features = RandomFeatures(3, 16)
    features.fit(np.array([[1.0, 5.0, 0.1], [1.0, 5.0, 0.3]]))
    usual = features.transform(np.array([1.0, 5.0, 0.2]))
    assert (features.transform(np.array([1.0, 1e6, 0.2])) == usual).all()
    assert np.isfinite(features.transform(np.array([1.0, 5.0, -1e6]))).all()


def test_a_saved_map_is_the_same_to_the_bit() -> None:
    features, restored = made(), RandomFeatures(6, 64)
    restored.restore(features.arrays())
    x = contexts(np.random.default_rng(5), 1)[0]
    assert restored.transform(x).tobytes() == features.transform(x).tobytes()


@pytest.mark.parametrize("fault", ["missing", "shape", "nan"])
def test_a_damaged_map_is_refused(fault: str) -> None:
    arrays = made().arrays()
    if fault == "missing":
        del arrays["scale"]
    elif fault == "shape":
        arrays["centre"] = arrays["centre"][1:]
    else:
        arrays["scale"][0] = np.nan
    with pytest.raises(StateError, match=r"centre|scale"):
        RandomFeatures(6, 64).restore(arrays)
