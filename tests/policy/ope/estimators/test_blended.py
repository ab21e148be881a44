"""The blend trusts a model as far as the log bears it out, and its interval trusts none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.ope.estimators.blended import Blend, Blended
from policy.ope.estimators.direct_method import DirectMethod
from policy.ope.estimators.sndr import SNDR
from policy.ope.estimators.snips import SNIPS
from policy.ope.evaluate import Question, evaluate
from policy.ope.log import Decisions
from policy.ope.sample import Sample, sample_of
from policy.ope.tally import Tally, buckets
from policy.ope.targets import Constant
from tests.policy.ope.logs import world


def modelled(n: int, seed: int, bias: float = 0.0) -> tuple[Sample, float]:
    """A sample whose model is the truth, but for a bias of every action alike."""
    made = world(n, seed)
    return sample_of(made.log, made.target, made.means + bias), made.truth


def tally_of(sample: Sample) -> Tally:
    return Tally.of(Blended().columns(sample), buckets(sample.log))


@given(st.integers(0, 2**32))
def test_its_corners_are_the_estimators_that_it_blends(seed: int) -> None:
    sample, _ = modelled(60, seed)
    means = tally_of(sample).means
    corners = ((0.0, 0.0, SNIPS()), (1.0, 0.0, SNDR()), (0.3, 1.0, DirectMethod()))
    for model, direct, estimator in corners:
        wanted = estimator.value(estimator.columns(sample).mean(axis=0))
        assert Blend(model, direct).value(means) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("shares", [(0.3, 0.4), (1.0, 0.0), (0.0, 1.0)])
def test_gradients_are_the_derivatives_of_values(shares: tuple[float, float]) -> None:
    blend, means = Blend(*shares), np.array([0.4, 0.5, 1.1, 0.3, 2.0])
    for column in range(5):
        step = np.eye(5)[column] * 1e-6
        slope = (blend.value(means + step) - blend.value(means - step)) / 2e-6
        assert blend.gradient(means)[column] == pytest.approx(slope, abs=1e-6)


def test_a_right_model_is_trusted_and_a_wrong_one_is_not() -> None:
    right = [Blended().settled(tally_of(modelled(2_000, seed)[0])) for seed in range(20)]
    wrong = [Blended().settled(tally_of(modelled(2_000, seed, 0.3)[0])) for seed in range(20)]
    assert np.mean([blend.direct for blend in right]) > 0.6
    assert max(blend.direct for blend in wrong) < 0.1


def test_a_model_of_nothing_adds_no_noise() -> None:
    made = world(4_000, 2)
    noise = 5.0 * np.random.default_rng(0).normal(size=made.means.shape)
    sample = sample_of(made.log, made.target, noise)
    assert Blended().settled(tally_of(sample)).model < 0.05


@pytest.mark.parametrize(("bias", "most"), [(0.0, 0.8), (0.03, 1.2), (0.3, 1.1)])
def test_it_gains_by_a_right_model_and_loses_little_by_a_wrong_one(
    bias: float, most: float
) -> None:
    errors: dict[str, list[float]] = {"blended": [], "snips": [], "sndr": []}
    for seed in range(60):
        sample, truth = modelled(1_500, seed, bias)
        tally = tally_of(sample)
        errors["blended"].append(Blended().settled(tally).value(tally.means) - truth)
        for one in (SNIPS(), SNDR()):
            errors[one.name].append(one.value(one.columns(sample).mean(axis=0)) - truth)
    found = {name: float(np.sqrt(np.mean(np.square(each)))) for name, each in errors.items()}
    blended = found.pop("blended")
    assert blended < most * min(found.values())


def test_the_interval_is_of_the_part_that_trusts_no_model() -> None:
    sample, _ = modelled(3_000, 3)
    tally = tally_of(sample)
    settled = Blended().settled(tally)
    assert settled.direct > 0.0
    trusted = settled.trusted()
    assert (trusted.model, trusted.direct) == (settled.model, 0.0)


def test_large_weights_that_the_log_happens_to_miss_widen_the_interval() -> None:
    """The rare action of the target was drawn four times where ten were due."""
    n = 1_000
    action = (np.arange(n) < 4).astype(int)
    logging = np.tile([0.99, 0.01], (n, 1))
    shown = logging[np.arange(n), action]
    reward = (np.arange(n) % 2).astype(float)
    target, expected = np.full((n, 2), 0.5), np.zeros((n, 2))
    known = Decisions(("a", "b"), action, reward, shown, logging=logging)
    blind = Decisions(("a", "b"), action, reward, shown)
    due = 0.25 / 0.99 + 0.25 / 0.01
    seen = float(((0.5 / shown) ** 2).mean())
    stretched = Blend(0.0, 0.0).stretch(tally_of(sample_of(known, target, expected)))
    assert stretched == pytest.approx((due / seen) ** 0.5)
    assert Blend(0.0, 0.0).stretch(tally_of(sample_of(blind, target, expected))) == pytest.approx(
        1.0
    )


def test_without_any_weight_nothing_is_claimed() -> None:
    log = Decisions(("a", "b"), np.zeros(80, int), np.ones(80), np.ones(80))
    result = evaluate(lambda: [log], Question({"b": Constant("b")})).of("b")
    assert result.best.estimator == "blended"
    assert not np.isfinite(result.best.interval.half_width)
    assert not result.diagnosis.answerable
