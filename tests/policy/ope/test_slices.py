"""Parts of a log are the log again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.errors import EvaluationError
from policy.ope.slices import between, count_rows, joined, rows_of
from tests.policy.ope.logs import world

LOG = world(60, seed=1).log


@given(st.integers(1, 30), st.integers(0, 60), st.integers(0, 60))
def test_a_stretch_is_the_same_however_the_log_is_cut(size: int, start: int, stop: int) -> None:
    chunks = [rows_of(LOG, first, first + size) for first in range(0, 60, size)]
    assert count_rows(lambda: chunks) == 60
    parts = list(between(lambda: chunks, start, stop))
    assert sum(part.n_rows for part in parts) == max(0, stop - start)
    if parts:
        assert parts[0].first_row == 0
        whole = joined(parts)
        for name in ("action", "reward", "propensity", "context", "logging"):
            np.testing.assert_array_equal(getattr(whole, name), getattr(LOG, name)[start:stop])


def test_nothing_cannot_be_joined() -> None:
    with pytest.raises(EvaluationError, match="no rows"):
        joined([])
