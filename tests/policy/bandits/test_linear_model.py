"""The rank-one updates against a direct solution of the full ridge system."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.bandits.linear_model import MOST_ROWS_BETWEEN, HybridLinearModel, OwnPriors
from policy.bandits.linear_model import HybridLinearModel as Model

D, K, N_ACTIONS = 5, 3, 4
IDS = tuple(f"a{i}" for i in range(N_ACTIONS))
OWN = OwnPriors(intercept=0.3, linear=2.0)
SHARED = 0.7


@dataclass
class FullSystem:
    """The same model as one ridge regression over [β; θ_1; ...; θ_m], solved from scratch."""

    rows: list[np.ndarray] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)

    @staticmethod
    def row(action: int, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        full = np.zeros(K + N_ACTIONS * D)
        full[:K] = z
        full[K + action * D : K + (action + 1) * D] = x
        return full

    def solve(self) -> tuple[np.ndarray, np.ndarray]:
        own = np.array([OWN.intercept, *[OWN.linear] * (D - 1)])
        precision = np.diag(np.concatenate([[SHARED] * K, np.tile(own, N_ACTIONS)]))
        design = np.array(self.rows)
        covariance = np.linalg.inv(precision + design.T @ design)
        weights = covariance @ design.T @ np.array(self.rewards)
        noise = (np.array(self.rewards) - design @ weights) @ np.array(self.rewards) / len(design)
        return weights, noise * covariance


def learn_both(
    rng: np.random.Generator, n: int, *, corrected: float = 0.0
) -> tuple[HybridLinearModel, FullSystem]:
    model, full = HybridLinearModel(D, K, prior_shared=SHARED, own=OWN), FullSystem()
    for _ in range(n):
        # The last action stays unknown: the prior must speak for it.
        action = int(rng.integers(N_ACTIONS - 1))
        x, z, reward = rng.normal(size=D), rng.normal(size=K), float(rng.normal())
        slot = model.blocks.slots_for([IDS[action]])[0]
        model.learn(slot, x, z, reward)
        full.rows.append(full.row(action, x, z))
        full.rewards.append(reward)
        if rng.random() < corrected:
            # Of any earlier row, since rewards come late.
            late = int(rng.integers(len(full.rows)))
            old = full.rows[late]
            of = int(np.flatnonzero(old[K:])[0]) // D
            change = float(rng.normal())
            own = old[K + of * D : K + (of + 1) * D]
            model.correct(
                model.blocks.slots_for([IDS[of]])[0], own, old[:K], change, full.rewards[late]
            )
            full.rewards[late] += change
    return model, full


@pytest.mark.parametrize(("n", "corrected"), [(1, 0.0), (50, 0.0), (300, 0.5), (6_000, 0.1)])
def test_it_equals_a_direct_solution(n: int, corrected: float) -> None:
    rng = np.random.default_rng(n)
    model, full = learn_both(rng, n, corrected=corrected)
    weights, covariance = full.solve()
    for _ in range(5):
        x, z = rng.normal(size=D), rng.normal(size=(N_ACTIONS, K))
        posterior = model.posterior(x, z, IDS)
        means, variances = model.means_and_variances(x, z, IDS)
        rows = [full.row(a, x, z[a]) for a in range(N_ACTIONS)]
        np.testing.assert_allclose(posterior.means, [r @ weights for r in rows], atol=1e-8)
        np.testing.assert_allclose(variances, [r @ covariance @ r for r in rows], atol=1e-8)
        np.testing.assert_allclose(model.means(x, z, IDS), posterior.means, atol=1e-12)
        np.testing.assert_allclose(means, posterior.means, atol=1e-12)


def test_covariances_stay_symmetric_to_the_bit() -> None:
    model, _ = learn_both(np.random.default_rng(0), 3_000)
    own = model.arrays()["blocks"][:, 1 + K : 1 + K + D]
    assert (own == own.transpose(0, 2, 1)).all()
    assert (model.shared_covariance == model.shared_covariance.T).all()


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    digits=st.integers(0, 6),
    prior=st.sampled_from([1e-6, 1e-3, 1.0, 1e5, 1e12]),
)
def test_features_of_any_accepted_size_keep_it_finite(seed: int, digits: int, prior: float) -> None:
    """Rounding may cost digits there, but never a NaN, an infinity or a negative variance."""
    rng = np.random.default_rng(seed)
    model = HybridLinearModel(D, K, prior_shared=prior, own=OwnPriors(prior, prior))
    slots = model.blocks.slots_for(IDS)
    direction = rng.choice([-1.0, 1.0], size=D + K)
    for i in range(150):
        sizes = 10.0 ** rng.uniform(-digits, digits, size=D + K)
        row = direction * sizes if i % 2 else np.sign(direction) * 10.0**digits
        model.learn(slots[i % N_ACTIONS], row[:D], row[D:], float(rng.choice([-1e9, 0.0, 1e9])))
    posterior = model.posterior(row[:D], np.tile(row[D:], (N_ACTIONS, 1)), IDS)
    _, variances = model.means_and_variances(row[:D], np.tile(row[D:], (N_ACTIONS, 1)), IDS)
    assert np.isfinite(posterior.means).all()
    assert np.isfinite(variances).all()
    assert variances.min() >= 0.0


def test_an_unknown_action_reads_the_prior() -> None:
    model = HybridLinearModel(2, 0, own=OwnPriors(intercept=0.5, linear=4.0))
    posterior = model.posterior(np.array([1.0, 2.0]), np.zeros((1, 0)), ("nobody",))
    assert posterior.means.tolist() == [0.0]
    assert posterior.own_variances.tolist() == [1.0 / 0.5 + 4.0 / 4.0]


def test_a_score_does_not_depend_on_the_other_candidates() -> None:
    """Among few of a large catalog (gathered) as among all of it (picked afterwards)."""
    rng = np.random.default_rng(3)
    model = HybridLinearModel(30, 8)
    ids = tuple(f"a{i}" for i in range(100))
    for action_id in ids:
        slot = model.blocks.slots_for([action_id])[0]
        model.learn(slot, rng.normal(size=30), rng.normal(size=8), float(rng.normal()))
    x, z = rng.normal(size=30), rng.normal(size=(100, 8))
    everything = model.posterior(x, z, ids)
    few = [97, 3, 40]
    some = model.posterior(x, z[few], tuple(ids[i] for i in few))
    assert some.own_variances.tolist() == pytest.approx(everything.own_variances[few], rel=1e-14)
    assert some.residuals.tolist() == everything.residuals[few].tolist()
    assert some.means == pytest.approx(everything.means[few], rel=1e-12)


def world(seed: int, n: int) -> list[tuple[str, np.ndarray, np.ndarray, float]]:
    rng = np.random.default_rng(seed)
    return [
        (IDS[int(rng.integers(N_ACTIONS))], rng.normal(size=D), rng.normal(size=K), rng.normal())
        for _ in range(n)
    ]


def taught(rows: list[tuple[str, np.ndarray, np.ndarray, float]], **options: float) -> Model:
    model = Model(D, K, **options)
    for action_id, x, z, reward in rows:
        model.learn(model.blocks.slots_for([action_id])[0], x, z, reward)
    return model


def scores(model: Model) -> np.ndarray:
    rng = np.random.default_rng(99)
    found = [
        model.means_and_variances(rng.normal(size=D), rng.normal(size=(N_ACTIONS, K)), IDS)
        for _ in range(10)
    ]
    return np.array(found)


def test_rank_one_updates_stay_true_between_solutions() -> None:
    """After as many updates in a row as there can be, whatever came before."""
    model, rng = Model(3, 2, prior_shared=1.0, own=OwnPriors(1.0, 1.0)), np.random.default_rng(0)
    slots = model.blocks.slots_for(["a", "b"])
    x, z = rng.normal(size=(1_000, 3)), rng.normal(size=(1_000, 2))
    x[:, 2] = x[:, 1] + 1e-3 * x[:, 2]  # nearly collinear, which is where rounding grows
    rewards = (x @ [1.0, -2.0, 0.5] + rng.normal(size=1_000)).tolist()
    model.next_solution = MOST_ROWS_BETWEEN
    for i in range(MOST_ROWS_BETWEEN - 1):
        model.learn(slots[i % 2], x[i % 1_000], z[i % 1_000], rewards[i % 1_000])
    kept = model.means_and_variances(x[0], z[:2], ("a", "b"))
    model.refit()
    for before, after in zip(kept, model.means_and_variances(x[0], z[:2], ("a", "b")), strict=True):
        np.testing.assert_allclose(before, after, rtol=1e-6)


@pytest.mark.slow
def test_a_million_rank_one_updates_stay_true() -> None:
    """Solved afresh on the way: the posterior is that of the sums, and the sums are those of rows.

    Every row comes 1,000 times, so that the sums are known; columns are nearly collinear.
    """
    n_rows, n_times = 1_000, 1_000
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n_rows, 2))
    x[:, 1] = x[:, 0] + 1e-3 * x[:, 1]
    rewards = x @ [1.0, -2.0] + 0.1 * rng.normal(size=n_rows)
    model, nothing = Model(2, 0, own=OwnPriors(1.0, 1.0)), np.zeros(0)
    (slot,) = model.blocks.slots_for(["a"])
    rows = list(zip(x, rewards.tolist(), strict=True))
    for _ in range(n_times):
        for context, reward in rows:
            model.learn(slot, context, nothing, reward)
    precision = n_times * (x.T @ x) + np.eye(2)
    expected = np.linalg.solve(precision, n_times * (x.T @ rewards))
    np.testing.assert_allclose(model.own_weights(("a",))[0], expected, rtol=1e-6)
    _, variances = model.means_and_variances(x[0], nothing[None], ("a",))
    direct = x[0] @ np.linalg.solve(precision, x[0]) * model.noise_variance
    np.testing.assert_allclose(variances, direct, rtol=1e-6)


def test_the_noise_is_estimated() -> None:
    rng = np.random.default_rng(1)
    model = Model(D, K)
    for _ in range(3_000):
        x, z = rng.normal(size=D), rng.normal(size=K)
        (slot,) = model.blocks.slots_for([IDS[int(rng.integers(N_ACTIONS))]])
        model.learn(slot, x, z, float(x.sum() - z[0] + 0.2 * rng.normal()))
    assert model.noise_variance == pytest.approx(0.04, rel=0.1)


@pytest.mark.parametrize("half_life", [10.0, 37.5, 400.0])
def test_a_row_counts_half_after_the_half_life(half_life: float) -> None:
    """Against weighted least squares; the prior is held to the newest row's weight at solutions."""
    rows = world(2, 300)
    model = taught(rows, prior_shared=1e-6, own=OwnPriors(1e-6, 1e-6), half_life=half_life)
    weights = 2.0 ** ((np.arange(300) - 299) / half_life)
    design = np.array([FullSystem.row(IDS.index(a), x, z) for a, x, z, _ in rows])
    rewards = np.array([reward for *_, reward in rows])
    full = np.linalg.solve(
        design.T @ (design * weights[:, None]) + 1e-6 * np.eye(design.shape[1]),
        design.T @ (weights * rewards),
    )
    np.testing.assert_allclose(model.shared_weights, full[:K], rtol=1e-3, atol=1e-4)
    own = model.own_weights(IDS)
    np.testing.assert_allclose(own.ravel(), full[K:], rtol=1e-3, atol=1e-4)


def test_without_half_life_nothing_is_forgotten() -> None:
    assert taught(world(3, 200)).weight == 1.0


def test_discounted_rows_count_for_their_share() -> None:
    rows = world(4, 200)
    given = {"prior_shared": 1e-6, "own": OwnPriors(1e-6, 1e-6)}
    once, twice = taught(rows, **given), taught(rows, **given)
    once.discount(0.5)
    for action_id, x, z, reward in rows[:100]:
        once.learn(once.blocks.slots_for([action_id])[0], x, z, reward)
        for _ in range(2):
            twice.learn(twice.blocks.slots_for([action_id])[0], x, z, reward)
    np.testing.assert_allclose(scores(once)[:, 0], scores(twice)[:, 0], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(scores(once)[:, 1], 2.0 * scores(twice)[:, 1], rtol=0.02)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 150), n_out=st.integers(0, 60))
def test_removed_rows_were_never_there(seed: int, n: int, n_out: int) -> None:
    kept, out = world(seed, n), world(seed + 1, n_out)
    model, never = taught(kept + out), taught(kept)
    for action_id, x, z, reward in out:
        model.remove(model.blocks.slots_for([action_id])[0], x, z, reward)
    model.refit()
    never.refit()
    np.testing.assert_allclose(scores(model), scores(never), rtol=1e-7, atol=1e-8)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(0, 150), m=st.integers(0, 150))
def test_two_replicas_add_up_to_one_model(seed: int, n: int, m: int) -> None:
    mine, others = world(seed, n), world(seed + 1, m)
    merged, other, whole = taught(mine), taught(others), taught(mine + others)
    merged.merge(other.blocks.action_ids, other.arrays(), other.scalars())
    whole.refit()
    np.testing.assert_allclose(scores(merged), scores(whole), rtol=1e-7, atol=1e-8)
    assert merged.n_rows == n + m


def test_solutions_come_when_rows_have_doubled_and_never_too_far_apart() -> None:
    model, at = Model(2, 0), []
    (slot,) = model.blocks.slots_for(["a"])
    for _ in range(300):
        before = model.next_solution
        model.learn(slot, np.ones(2), np.zeros(0), 1.0)
        if model.next_solution != before:
            at.append(model.n_rows)
    assert at == [64, 128, 256]
    model.n_rows = model.next_solution = 10_000_000
    model.solve()
    assert model.next_solution == 10_000_000 + MOST_ROWS_BETWEEN
