"""Rank-one updates and inverses against numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from policy.bandits.linear_algebra import add_outer, inverse, one_thread, spread_of


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 70), st.integers(0, 70), st.floats(-3.0, 3.0))
def test_an_outer_product_is_added_in_place(
    seed: int, n_rows: int, n_columns: int, weight: float
) -> None:
    """Also into a part of a larger array, and without touching what is multiplied."""
    rng = np.random.default_rng(seed)
    stack = rng.normal(size=(2, n_rows + 3, n_columns))
    before, block = stack.copy(), stack[1, :n_rows]
    q, g = rng.normal(size=n_rows), rng.normal(size=n_columns)
    kept = q.copy(), g.copy()
    add_outer(block, q, g, weight)
    before[1, :n_rows] += weight * np.outer(q, g)
    np.testing.assert_allclose(stack, before, rtol=1e-12, atol=1e-12)
    assert np.array_equal(q, kept[0])
    assert np.array_equal(g, kept[1])


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_a_matrix_plus_an_outer_square_stays_symmetric(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    block, g = np.eye(n), rng.normal(size=n)
    add_outer(block, g, g, -0.1)
    np.testing.assert_allclose(block, block.T, rtol=0.0, atol=1e-15)


@pytest.mark.parametrize("n", [1, 5, 40, 120])
def test_an_inverse_is_one_symmetric_and_the_same_on_any_number_of_threads(n: int) -> None:
    rng = np.random.default_rng(n)
    rows = rng.normal(size=(2 * n, n)) * 10.0 ** rng.integers(-3, 4, size=n)
    matrix = rows.T @ rows + np.eye(n)
    found = []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads, user_api="blas"), one_thread():
            found.append(inverse(matrix, np.ones(n), np.sqrt(np.diagonal(matrix))))
    assert found[0].tobytes() == found[1].tobytes()
    assert np.array_equal(found[0], found[0].T)
    scale = np.sqrt(np.diagonal(matrix))
    unit = matrix @ found[0] / scale[:, None] * scale
    np.testing.assert_allclose(unit, np.eye(n), atol=1e-6)


def test_what_rounding_made_indefinite_is_held_to_the_prior() -> None:
    matrix = np.array([[1e16, 1e16], [1e16, 1e16 - 64.0]])
    found = inverse(matrix, np.ones(2), np.sqrt(np.diagonal(matrix)))
    assert np.linalg.eigvalsh(found).min() > -1e-12
    assert np.linalg.eigvalsh(found).max() < 1.1


def test_a_spread_below_zero_is_rounding() -> None:
    g = np.array([-1e-20, 0.0])
    assert spread_of(g, np.ones(2)) == 0.0
    assert not g.any()
