"""Model files of any kind come back as the policies that they were."""

from __future__ import annotations

import numpy as np
import pytest

from policy.bandits.build import POLICY_KINDS, make_policy
from policy.base import Batch, Candidates
from policy.errors import ModelFileError, ParameterError, StateError
from policy.model_file import JSON, dump
from policy.ppo.network import untrained
from policy.saved import load_policy

CONTEXT, FEATURES = ("intercept", "x"), ("z",)


def learned(kind: str, **parameters: float) -> tuple[dict[str, JSON], dict[str, np.ndarray]]:
    policy, rng = make_policy(kind, 2, 1, **parameters), np.random.default_rng(0)
    ids = tuple("ab"[i] for i in rng.integers(2, size=60))
    contexts = np.column_stack([np.ones(60), rng.normal(size=60)])
    rows = Batch(contexts, rng.normal(size=(60, 1)), ids, rng.random(60), np.ones(60, np.bool_))
    policy.update(rows)
    return policy.state()


@pytest.mark.parametrize("kind", POLICY_KINDS)
def test_a_saved_bandit_decides_as_it_did(kind: str) -> None:
    manifest, arrays = learned(kind)
    policy = load_policy(dump(manifest, arrays), CONTEXT, FEATURES)
    again = make_policy(kind, 2, 1)
    again.load_state(manifest, arrays)
    pair = Candidates(("a", "b"), np.array([[0.2], [0.7]]))
    both = [one.distribution(np.ones(2), pair, np.random.default_rng(1)) for one in (policy, again)]
    assert both[0].tobytes() == both[1].tobytes()
    assert policy.n_updates == 60


def test_a_service_notes_parameters_and_names_which_hold_unless_others_are_given() -> None:
    manifest, arrays = learned("linucb", alpha=0.5, half_life=500)
    noted: dict[str, JSON] = {
        "parameters": {"kind": "linucb", "alpha": "0.5", "half_life": "500"},
        "context_names": list(CONTEXT),
        "feature_names": list(FEATURES),
    }
    data = dump(manifest | noted, arrays)
    policy = load_policy(data, CONTEXT, FEATURES)
    assert (policy.alpha, policy.floor) == (0.5, 0.01)  # type: ignore[attr-defined]  # of linucb
    assert load_policy(data, CONTEXT, FEATURES, alpha=2.0).alpha == 2.0  # type: ignore[attr-defined]
    with pytest.raises(StateError, match=r"context_names .*learn it again"):
        load_policy(data, ("intercept", "y"), FEATURES)
    broken = dump(manifest | {"parameters": {"alpha": "much"}}, arrays)
    with pytest.raises(StateError, match="parameter alpha is 'much'"):
        load_policy(broken, CONTEXT, FEATURES)


def test_a_network_as_it_was_trained_and_as_a_service_saved_it() -> None:
    network = untrained(("x",), ("a", "b"), np.random.default_rng(0))
    policy = load_policy(network.to_bytes(), CONTEXT, FEATURES, floor=0.2)
    manifest, arrays = policy.state()
    # What a service writes beside it must not be taken for the network's own.
    beside: dict[str, JSON] = {"feature_names": ["z"], "context_names": list(CONTEXT)}
    again = load_policy(dump(manifest | beside, arrays), ("x", "intercept"), FEATURES)
    assert again.state()[0]["digest"] == manifest["digest"]
    assert (policy.floor, again.floor) == (0.2, 0.01)


def test_what_cannot_be_loaded_is_said() -> None:
    network = untrained(("x",), ("a", "b"), np.random.default_rng(0))
    with pytest.raises(ModelFileError, match="not a readable model file"):
        load_policy(b"PK", CONTEXT)
    with pytest.raises(StateError, match=r"kind 'mixture': known: bag"):
        load_policy(dump({"kind": "mixture", "schema": 1}, {}), CONTEXT)
    with pytest.raises(ParameterError, match="no parameter 'alpha'"):
        load_policy(network.to_bytes(), CONTEXT, alpha=1.0)
    with pytest.raises(ParameterError, match="trained on the feature 'x', which the context lacks"):
        load_policy(network.to_bytes(), ("intercept", "y"))
