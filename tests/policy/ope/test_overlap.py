"""The distribution of weights adds up, over rows and over parts of a log."""

from __future__ import annotations

import numpy as np
import pytest

from policy.errors import EvaluationError
from policy.ope.overlap import EDGES, overlaps
from policy.ope.slices import rows_of
from policy.ope.targets import Constant, Given, Logged
from tests.policy.ope.logs import world

WORLD = world(500, seed=4)
TARGETS = {"given": Given(WORLD.target), "a": Constant("a"), "logged": Logged()}


def test_counts_and_shares_are_those_of_the_rows() -> None:
    found = overlaps([WORLD.log], TARGETS)
    weight = WORLD.log.taken(WORLD.target) / WORLD.log.propensity
    given = found.of["given"]
    assert given.zeros + given.counts.sum() == given.n_rows == 500
    assert given.weights.sum() == pytest.approx(weight.sum())
    some = EDGES.searchsorted(1.0)
    assert given.counts[some:].sum() == (weight >= EDGES[some]).sum()
    np.testing.assert_allclose(given.shown, WORLD.target.sum(axis=0))
    np.testing.assert_array_equal(given.logged, np.bincount(WORLD.log.action, minlength=4))
    assert found.of["a"].zeros == (WORLD.log.action != 0).sum()
    assert found.of["logged"].counts.max() == 500  # all at 1


def test_parts_add_up() -> None:
    whole = overlaps([WORLD.log], {"a": Constant("a")}).of["a"]
    parts = [rows_of(WORLD.log, start, start + 130) for start in range(0, 500, 130)]
    found = overlaps(parts, {"a": Constant("a")}).of["a"]
    for name in ("n_rows", "zeros", "counts", "weights", "shown", "logged"):
        np.testing.assert_allclose(getattr(found, name), getattr(whole, name))
    with pytest.raises(EvaluationError, match="no rows"):
        overlaps([], {"a": Constant("a")})
