"""The network under the neural-linear policy."""

from __future__ import annotations

import numpy as np
import pytest

from policy.bandits.feature_net import FeatureNet
from policy.errors import StateError


def xor(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    contexts = np.column_stack([np.ones(n), rng.normal(size=(n, 2))])
    actions = rng.integers(2, size=n)
    targets = np.where((contexts[:, 1] * contexts[:, 2] > 0.0) == (actions == 0), 1.0, 0.0)
    return contexts, actions, targets


def trained(seed: int = 0, n_trainings: int = 2) -> FeatureNet:
    net = FeatureNet(3, 8)
    for training in range(n_trainings):
        net.train(*xor(600, seed), 2, np.random.default_rng(training))
    return net


def test_before_the_first_training_there_are_no_features() -> None:
    assert not FeatureNet(3, 8).features(np.ones((4, 3))).any()


def test_its_gradients_are_those_of_the_squared_error() -> None:
    net, rng = trained(), np.random.default_rng(5)
    contexts, actions, targets = xor(12, 9)
    inputs = rng.normal(size=contexts.shape)

    def loss() -> float:
        features = net._layers(inputs)[1]
        weights = net._weights
        predicted = (features * weights["outputs"][actions]).sum(axis=1)
        return float(((predicted + weights["intercepts"][actions] - targets) ** 2).mean() / 2.0)

    for name, gradient in net._gradients(inputs, actions, targets).items():
        direction = rng.normal(size=gradient.shape)
        weights, size = net._weights[name], 1e-6
        weights += size * direction
        above = loss()
        weights -= 2.0 * size * direction
        slope = (above - loss()) / (2.0 * size)
        weights += size * direction
        assert slope == pytest.approx(float((gradient * direction).sum()), rel=1e-4, abs=1e-8)


def test_its_features_make_linear_what_was_not() -> None:
    contexts, actions, targets = xor(2_000, 3)
    mine = actions == 0
    shares = []
    for inputs in (contexts, np.column_stack([contexts, trained().features(contexts)])):
        weights, *_ = np.linalg.lstsq(inputs[mine], targets[mine], rcond=None)
        shares.append(np.mean((inputs[mine] @ weights > 0.5) == (targets[mine] > 0.5)))
    assert shares[0] < 0.6
    assert shares[1] > 0.9


def test_the_same_generators_give_the_same_bits() -> None:
    one, other = trained().arrays(), trained().arrays()
    assert {k: v.tobytes() for k, v in one.items()} == {k: v.tobytes() for k, v in other.items()}


def test_a_new_action_and_a_column_that_never_changed_are_no_trouble() -> None:
    net = trained()
    contexts, actions, targets = xor(300)
    contexts[:, 2] = 7.0
    net.train(contexts, actions, targets, 5, np.random.default_rng(0))
    assert np.isfinite(net.features(contexts)).all()
    assert net.arrays()["net_outputs"].shape == (5, 8)


def test_equal_targets_leave_it_finite() -> None:
    net = FeatureNet(3, 8)
    contexts, actions, _ = xor(50)
    net.train(contexts, actions, np.full(50, 3.0), 2, np.random.default_rng(0))
    assert all(np.isfinite(array).all() for array in net.arrays().values())


@pytest.mark.parametrize("fault", ["missing", "nan", "shape", "outputs", "intercepts"])
def test_damaged_arrays_are_refused(fault: str) -> None:
    arrays = trained().arrays()
    if fault == "missing":
        del arrays["net_bias_1"]
    elif fault == "nan":
        arrays["net_center"][0] = np.nan
    elif fault == "shape":
        arrays["net_weights_1"] = arrays["net_weights_1"][:, :-1]
    elif fault == "outputs":
        arrays["net_outputs"] = np.zeros((9, 8))
    else:
        arrays["net_intercepts"] = np.zeros(1)
    with pytest.raises(StateError, match="net_"):
        FeatureNet(3, 8).restore(arrays, is_trained=True, n_actions=2)
