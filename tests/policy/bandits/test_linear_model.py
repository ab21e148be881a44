"""The rank-one updates against a direct solution of the full ridge system."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.bandits.linear_model import HybridLinearModel

D, K, N_ACTIONS = 5, 3, 4
IDS = tuple(f"a{i}" for i in range(N_ACTIONS))
PRIORS = {"prior_shared": 0.7, "prior_action": 2.0, "prior_intercept": 0.3}


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
        own = np.array([PRIORS["prior_intercept"], *[PRIORS["prior_action"]] * (D - 1)])
        precision = np.diag(np.concatenate([[PRIORS["prior_shared"]] * K, np.tile(own, N_ACTIONS)]))
        design = np.array(self.rows)
        covariance = np.linalg.inv(precision + design.T @ design)
        return covariance @ design.T @ np.array(self.rewards), covariance


def learn_both(
    rng: np.random.Generator, n: int, *, corrected: float = 0.0
) -> tuple[HybridLinearModel, FullSystem]:
    model, full = HybridLinearModel(D, K, **PRIORS), FullSystem()
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
            model.correct(model.blocks.slots_for([IDS[of]])[0], own, old[:K], change)
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
    own = model.arrays()["blocks"][:, 1 + K :]
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
    model = HybridLinearModel(D, K, prior_shared=prior, prior_action=prior, prior_intercept=prior)
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
    model = HybridLinearModel(2, 0, prior_action=4.0, prior_intercept=0.5)
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
