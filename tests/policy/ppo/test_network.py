from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.errors import DecisionError, ModelFileError, StateError
from policy.model_file import dump, load
from policy.ppo.network import Network, from_arrays, from_bytes, untrained

FEATURES, ACTIONS = ("x", "y", "z"), ("a", "b", "c", "d")


def network(seed: int = 0) -> Network:
    return untrained(FEATURES, ACTIONS, np.random.default_rng(seed))


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3),
    st.lists(st.booleans(), min_size=4, max_size=4).filter(any),
)
def test_probabilities_sum_to_one_and_are_zero_where_masked(
    x: list[float], mask: list[bool]
) -> None:
    allowed = np.array(mask)
    probabilities = network().probabilities(np.array(x), allowed)
    assert probabilities.sum() == pytest.approx(1.0, abs=1e-6)
    assert not probabilities[~allowed].any()
    assert (probabilities[allowed] > 0).all()


def test_many_at_once_are_one_at_a_time() -> None:
    rows = np.random.default_rng(1).normal(size=(50, 3)).astype(np.float32)
    together = network().probabilities(rows)
    one_by_one = np.stack([network().probabilities(row) for row in rows])
    assert together == pytest.approx(one_by_one, abs=1e-6)
    assert network().value(rows).shape == (50,)


def test_a_file_gives_the_same_network_and_the_same_bytes() -> None:
    data = network().to_bytes({"scenario": "steady"})
    again = from_bytes(data)
    assert again.to_bytes({"scenario": "steady"}) == data
    x = np.ones(3, np.float32)
    assert (again.probabilities(x) == network().probabilities(x)).all()


def test_everything_masked_is_refused() -> None:
    with pytest.raises(DecisionError, match="every action is masked"):
        network().probabilities(np.zeros(3), np.zeros(4, np.bool_))


def test_files_that_are_not_such_a_network_are_refused_by_name() -> None:
    manifest, arrays = load(network().to_bytes())
    with pytest.raises(ModelFileError):
        from_bytes(b"PK not a zip")
    with pytest.raises(StateError, match="kind 'linucb': must be 'ppo'"):
        from_bytes(dump({**manifest, "kind": "linucb"}, arrays))
    with pytest.raises(StateError, match="schema 2"):
        from_bytes(dump({**manifest, "schema": 2}, arrays))
    with pytest.raises(StateError, match="feature_names"):
        from_bytes(dump({**manifest, "feature_names": 3}, arrays))
    with pytest.raises(StateError, match="no array 'action_biases'"):
        from_arrays(FEATURES, ACTIONS, {k: v for k, v in arrays.items() if k != "action_biases"})
    with pytest.raises(StateError, match="NaN"):
        from_arrays(FEATURES, ACTIONS, {**arrays, "scale": np.full(3, np.nan)})
    with pytest.raises(StateError, match="shape"):
        from_arrays(FEATURES, ACTIONS[:3], arrays)
    with pytest.raises(StateError, match="shape"):
        from_arrays(FEATURES, ACTIONS, {**arrays, "value_hidden_2_weights": np.zeros((64, 3))})
