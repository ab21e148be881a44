"""Statistics merge, and give the errors that the rows would."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.errors import EvaluationError
from policy.ope.tally import Tally, merge


def columns(n: int, seed: int, n_columns: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).normal(3.0, 1.0, (n, n_columns))


@given(st.integers(2, 200), st.integers(0, 2**32), st.data())
def test_parts_merge_to_the_whole(n: int, seed: int, data: st.DataObject) -> None:
    rows, bucket = columns(n, seed), np.arange(n) % 16
    cut = data.draw(st.integers(0, n))
    parts = [Tally.of(rows[:cut], bucket[:cut], 16), Tally.of(rows[cut:], bucket[cut:], 16)]
    whole, merged = Tally.of(rows, bucket, 16), merge(parts)
    assert merged.n_rows == n
    assert merged.means == pytest.approx(rows.mean(axis=0))
    assert merged.row_covariance == pytest.approx(np.cov(rows.T), abs=1e-9)
    assert (merged.smallest == whole.smallest).all()
    assert (merged.largest == rows.max(axis=0)).all()
    assert merged.influences(np.ones(2)) == pytest.approx(whole.influences(np.ones(2)), abs=1e-9)


def test_with_a_bucket_for_each_row_the_error_is_the_textbooks() -> None:
    rows = columns(500, 1, 1)
    tally = Tally.of(rows, np.arange(500), 1024)
    assert tally.standard_error(np.ones(1)) == pytest.approx(rows.std(ddof=1) / np.sqrt(500))


def test_rows_of_one_visitor_widen_the_error() -> None:
    """Each visitor's row ten times over: ten times the rows, no more knowledge."""
    rows = np.repeat(columns(400, 2, 1), 10, axis=0)
    visitors = np.repeat(np.arange(400), 10)
    clustered = Tally.of(rows, visitors, 1024).standard_error(np.ones(1))
    naive = Tally.of(rows, np.arange(4000) % 4000, 4000).standard_error(np.ones(1))
    assert clustered == pytest.approx(naive * np.sqrt(10.0), rel=0.01)


def test_few_rows_have_no_error_and_none_no_mean() -> None:
    assert np.isnan(Tally.of(np.ones((1, 1)), np.array([0])).standard_error(np.ones(1)))
    assert np.isnan(Tally.of(np.ones((0, 1)), np.zeros(0, np.int64)).means).all()


def test_tallies_of_other_shapes_do_not_merge() -> None:
    one = Tally.of(np.ones((1, 1)), np.array([0]), 4)
    with pytest.raises(EvaluationError, match="cannot be merged"):
        one.merged(Tally.of(np.ones((1, 2)), np.array([0]), 4))
