"""One loader of model files for every kind, which refuses what does not fit its place."""

import numpy as np
import pytest

from policy import model_file
from policy.bandits.build import POLICY_KINDS, make_policy
from policy.base import Batch, Candidates, Policy
from policy.errors import ModelFileError, PolicyError, StateError
from policy.loader import LOADERS, Place, load_policy, parameters_of
from policy.ppo.network import untrained

PLACE = Place(("one", "x"), ("z",), ("a", "b"), floor=0.25)
PAIR = Candidates(("a", "b"), np.array([[0.5], [0.1]]))


def saved(policy: Policy, **notes: model_file.JSON) -> bytes:
    manifest, arrays = policy.state()
    names: dict[str, model_file.JSON] = {"context_names": ["one", "x"], "feature_names": ["z"]}
    return model_file.dump({**manifest, **names, **notes}, arrays)


def taught(kind: str) -> Policy:
    policy = make_policy(kind, 2, 1, floor=0.25)
    rng = np.random.default_rng(1)
    contexts = np.column_stack((np.ones(40), rng.random(40)))
    ids = tuple(rng.choice(["a", "b"], 40).tolist())
    policy.update(Batch(contexts, rng.random((40, 1)), ids, rng.random(40), np.ones(40, bool)))
    return policy


@pytest.mark.parametrize("kind", POLICY_KINDS)
def test_a_bandit_decides_as_it_did_when_it_was_saved(kind: str) -> None:
    policy, context = taught(kind), np.array([1.0, 0.3])
    loaded = load_policy(saved(policy), PLACE)
    for seed in range(5):
        expected = policy.distribution(context, PAIR, np.random.default_rng(seed))
        found = loaded.distribution(context, PAIR, np.random.default_rng(seed))
        assert found.tobytes() == expected.tobytes()


def test_parameters_are_those_of_the_file_and_the_floor_that_of_the_place() -> None:
    policy = make_policy("lints", 2, 1, alpha=0.125, floor=0.9)
    data = saved(policy, parameters={"kind": "lints", "alpha": 0.125, "floor": 0.9, "odd": 1})
    loaded = load_policy(data, PLACE)
    assert (loaded.alpha, loaded.floor) == (0.125, 0.25)  # type: ignore[attr-defined]
    assert parameters_of(model_file.load(data)[0]) == {"alpha": 0.125}


def test_a_network_needs_the_features_and_the_actions_that_it_was_trained_on() -> None:
    network = untrained(("one", "x"), ("a", "b", "c"), np.random.default_rng(0))
    loaded = load_policy(network.to_bytes(), PLACE)
    assert loaded.floor == 0.25
    probabilities = loaded.distribution(np.ones(2), PAIR, np.random.default_rng(0))
    assert probabilities.sum() == pytest.approx(1.0)
    for place in (Place(("one", "y"), (), ("a",)), Place(("one", "x"), (), ("a", "d"))):
        with pytest.raises(PolicyError, match="train one on"):
            load_policy(network.to_bytes(), place)


def test_what_fits_nowhere_is_refused() -> None:
    with pytest.raises(StateError, match="feature_names"):
        load_policy(saved(taught("lints")), Place(("one", "x"), ("y",), ("a",)))
    other = model_file.dump({"kind": "segments", "schema": 1}, {})
    with pytest.raises(StateError, match="is of kind 'segments'"):
        load_policy(other, PLACE)
    with pytest.raises(ModelFileError):
        load_policy(b"PK", PLACE)
    assert set(POLICY_KINDS) < set(LOADERS)
