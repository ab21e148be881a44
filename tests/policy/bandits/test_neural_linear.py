"""Neural-linear: where the world is not linear, and what it remembers."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from policy.bandits.build import make_policy
from policy.bandits.neural_linear import FIRST_TRAINING, NeuralLinear
from policy.base import Batch, Candidates, Policy, draw
from policy.errors import ParameterError

PAIR = Candidates(("same", "differ"), np.zeros((2, 0)))


def part(batch: Batch, start: int, stop: int) -> Batch:
    mine = slice(start, stop)
    return Batch(
        batch.contexts[mine], batch.features[mine], batch.action_ids[mine], batch.rewards[mine],
        batch.first[mine], None if batch.before is None else batch.before[mine],
    )  # fmt: skip


def rows(n: int, seed: int = 0) -> Batch:
    rng = np.random.default_rng(seed)
    contexts = np.column_stack([np.ones(n), rng.normal(size=(n, 2))])
    ids = tuple(PAIR.ids[i] for i in rng.integers(2, size=n))
    return Batch(contexts, np.zeros((n, 0)), ids, rng.random(n), np.ones(n, bool))


def corrections(batch: Batch, changes: np.ndarray) -> Batch:
    n = len(changes)
    return Batch(
        batch.contexts[:n], batch.features[:n], batch.action_ids[:n], changes,
        np.zeros(n, bool), batch.rewards[:n],
    )  # fmt: skip


def bits(policy: Policy) -> tuple[object, dict[str, bytes]]:
    manifest, arrays = policy.state()
    return manifest, {name: array.tobytes() for name, array in arrays.items()}


def late_regret(policy: Policy) -> float:
    """Two signs: one action earns 1 where they are the same, the other where they differ."""
    rng, regrets = np.random.default_rng(3), []
    for _ in range(1_200):
        x = np.append(1.0, rng.choice([-1.0, 1.0], size=2) + 0.1 * rng.normal(size=2))
        best = int(x[1] * x[2] < 0.0)
        probabilities = policy.distribution(x, PAIR, rng)
        chosen = draw(probabilities, rng.random())
        regrets.append(1.0 - probabilities[best])
        reward = np.array([float(chosen == best)])
        policy.update(
            Batch(x[None], np.zeros((1, 0)), (PAIR.ids[chosen],), reward, np.ones(1, bool))
        )
    return float(np.mean(regrets[-300:]))


def test_it_learns_what_a_linear_policy_cannot() -> None:
    assert late_regret(make_policy("linucb", 3, 0)) > 0.3
    assert late_regret(make_policy("neural_linear", 3, 0)) < 0.03


def test_trainings_come_at_fixed_numbers_of_rows() -> None:
    policy, batch = NeuralLinear(3, 0, memory=256, n_features=4), rows(1_100)
    at = []
    for row in range(1_100):
        policy.update(part(batch, row, row + 1))
        if len(at) < policy.n_trainings:
            at.append(row + 1)
    assert at == [128, 256, 512, 768, 1024]


def test_any_split_across_trainings_gives_the_same_bits() -> None:
    plain = rows(560)
    late = corrections(part(plain, 50, 560), np.linspace(-1.0, 1.0, 300))
    whole = NeuralLinear(3, 0, memory=128, n_features=4)
    split = NeuralLinear(3, 0, memory=128, n_features=4)
    for batch in (plain, late):
        whole.update(batch)
        for start, stop in pairwise([0, 1, 127, 128, 129, 255, 256, 300, 511, 560]):
            split.update(part(batch, start, stop))
    assert whole.n_trainings == 4
    assert bits(whole) == bits(split)


@pytest.mark.parametrize("cut", [100, 130, 400])
def test_saved_between_trainings_it_resumes_to_the_bit(cut: int) -> None:
    batch = rows(520)
    running = NeuralLinear(3, 0, memory=200, n_features=4)
    resumed = NeuralLinear(3, 0, memory=200, n_features=4)
    running.update(part(batch, 0, cut))
    resumed.load_state(*running.state())
    for policy in (running, resumed):
        policy.update(part(batch, cut, 520))
        policy.update(corrections(part(batch, 350, 520), np.full(170, 0.5)))
    assert bits(running) == bits(resumed)


def test_a_reward_that_comes_before_a_training_is_trained_on() -> None:
    batch = rows(FIRST_TRAINING)
    known, late = NeuralLinear(3, 0), NeuralLinear(3, 0)
    known.update(batch)
    zeros = Batch(
        batch.contexts, batch.features, batch.action_ids, np.zeros(FIRST_TRAINING), batch.first
    )
    late.update(part(zeros, 0, FIRST_TRAINING - 1))
    late.update(corrections(zeros, batch.rewards[: FIRST_TRAINING - 1]))
    late.update(part(batch, FIRST_TRAINING - 1, FIRST_TRAINING))
    assert known.n_trainings == late.n_trainings == 1
    learned, arrays = known.state()[1], late.state()[1]
    for name in learned.keys() - {"record"}:
        np.testing.assert_array_equal(arrays[name], learned[name])


def test_a_late_reward_is_as_if_it_had_been_known_to_the_linear_model() -> None:
    policy, batch = NeuralLinear(3, 0, prior_action=1.0, prior_intercept=1.0), rows(300)
    policy.update(batch)
    x = np.append(1.0, [0.3, -0.4])
    before = policy.expected_rewards(x, PAIR)
    policy.update(corrections(batch, np.full(300, 0.5)))
    moved = policy.expected_rewards(x, PAIR) - before
    np.testing.assert_allclose(moved, 0.5, atol=0.1)  # every reward rose by 0.5


def test_the_corrections_of_forgotten_rows_are_forgotten() -> None:
    policy, batch = NeuralLinear(3, 0, memory=128, n_features=4), rows(600)
    policy.update(batch)
    before = bits(policy)[1]
    policy.update(corrections(batch, np.full(200, 100.0)))
    assert bits(policy)[1] == before


def test_an_action_whose_rows_are_forgotten_is_still_known() -> None:
    policy, batch = NeuralLinear(3, 0, memory=128, n_features=4), rows(600)
    early = Batch(batch.contexts, batch.features, ("early",) * 600, batch.rewards, batch.first)
    policy.update(part(early, 0, 20))
    policy.update(batch)
    policy.update(corrections(part(early, 0, 20), np.ones(20)))
    assert [arm.n for arm in policy.summary() if arm.action_id == "early"] == [20]
    assert policy.model.blocks.action_ids[0] == "early"


def test_an_explanation_adds_up_and_leaves_the_network_as_the_rest() -> None:
    policy, x = NeuralLinear(3, 0), np.array([1.0, 0.5, -0.5])
    policy.update(rows(300))
    found = policy.explain(x, PAIR)
    assert found.context.shape == (2, 3)
    assert np.abs(found.rest).max() > 0.0
    np.testing.assert_allclose(found.context.sum(axis=1) + found.rest, found.expected, atol=1e-9)


@pytest.mark.parametrize("parameters", [{"alpha": -1.0}, {"n_features": 0}, {"memory": 127}])
def test_impossible_parameters_are_refused(parameters: dict[str, float]) -> None:
    with pytest.raises(ParameterError, match=next(iter(parameters))):
        NeuralLinear(1, 0, **parameters)
