"""Kernel estimators find what a price earns, also next to the end of a range."""

from __future__ import annotations

import numpy as np
import pytest

from policy.density import Density
from policy.errors import EvaluationError
from policy.ope.estimators.price.kernel import KernelIPS
from policy.ope.estimators.price.sample import PriceSample
from policy.ope.estimators.price.tuned import TunedKernel, bandwidths_of
from policy.ope.intervals.normal import normal
from policy.ope.tally import Tally

LOW, HIGH = 2.0, 10.0
LOGGING = Density(np.array([LOW, 5.0, HIGH]), np.array([0.2, 0.08]))


def demand(price: np.ndarray | float) -> np.ndarray | float:
    """Share of visitors who buy."""
    return 1.0 / (1.0 + np.exp(1.5 * (price - 5.0)))


def drawn(n: int, wanted: float, seed: int) -> tuple[PriceSample, float]:
    """Sales at drawn prices, and what the wanted price truly earns."""
    rng = np.random.default_rng(seed)
    price = np.array([LOGGING.draw(u) for u in rng.random(n)])
    reward = price * (rng.random(n) < demand(price))
    ends = (np.full(n, LOW), np.full(n, HIGH))
    sample = PriceSample(price, LOGGING.at(price), reward, np.full(n, wanted), *ends)
    return sample, float(wanted * demand(wanted))


def tally_of(estimator: KernelIPS | TunedKernel, sample: PriceSample) -> Tally:
    columns = estimator.columns(sample)
    return Tally.of(columns, np.arange(len(columns)) % 512, 512)


@pytest.mark.parametrize("wanted", [2.0, 4.0, 5.0, 7.0])
@pytest.mark.parametrize("normalised", [True, False])
def test_a_narrow_kernel_finds_the_truth(wanted: float, normalised: bool) -> None:
    sample, truth = drawn(40_000, wanted, seed=1)
    estimator = KernelIPS(0.2, normalised=normalised)
    interval = normal(estimator, tally_of(estimator, sample), 0.999)
    assert interval.holds(truth)
    assert interval.half_width < 0.5


def test_mass_beyond_the_end_of_the_range_is_given_back() -> None:
    sample, truth = drawn(40_000, LOW, seed=2)
    blind = PriceSample(sample.price, sample.density, sample.reward, sample.wanted)
    means = [KernelIPS(0.3).columns(one).mean(axis=0) for one in (sample, blind)]
    assert means[0][1] == pytest.approx(1.0, abs=0.05)
    assert means[1][1] == pytest.approx(0.5, abs=0.05)
    assert means[0][0] == pytest.approx(truth, abs=0.15)


@pytest.mark.parametrize("wanted", [4.0, 6.5])
def test_the_chosen_bandwidth_is_nearly_as_good_as_the_best(wanted: float) -> None:
    family = TunedKernel(bandwidths_of(LOW, HIGH))
    errors, singles = [], np.zeros((20, len(family.members)))
    for seed in range(20):
        sample, truth = drawn(1_500, wanted, seed)
        tally = tally_of(family, sample)
        means = tally.means
        errors.append(family.settled(tally).value(means) - truth)
        singles[seed] = means[::2] / means[1::2] - truth
    best = np.sqrt((singles**2).mean(axis=0)).min()
    worst = np.sqrt((singles**2).mean(axis=0)).max()
    found = float(np.sqrt(np.mean(np.square(errors))))
    assert found < 2.5 * best
    assert found < 0.5 * worst


def test_more_rows_choose_a_narrower_bandwidth() -> None:
    family = TunedKernel(bandwidths_of(LOW, HIGH))
    chosen = []
    for n in (500, 40_000):
        settled = family.settled(tally_of(family, drawn(n, 5.0, seed=3)[0]))
        chosen.append(settled.bandwidth)
    assert chosen[1] < chosen[0]


def test_bandwidths_that_too_few_rows_fall_into_are_passed_over() -> None:
    sample, _ = drawn(60, 9.0, seed=4)
    family = TunedKernel(bandwidths_of(LOW, HIGH))
    tally = tally_of(family, sample)
    assert family.settled(tally).bandwidth == family.members[-1].bandwidth


def test_what_cannot_be_asked_is_named() -> None:
    one = np.ones(1)
    with pytest.raises(EvaluationError, match=r"density of row 0 is 0.0: must be above 0"):
        PriceSample(one, 0.0 * one, one, one)
    with pytest.raises(EvaluationError, match="could have drawn"):
        PriceSample(one, one, one, 5.0 * one, one, 2.0 * one)
    with pytest.raises(EvaluationError, match="give both"):
        PriceSample(one, one, one, one, low=one)
    with pytest.raises(EvaluationError, match="must be rising"):
        TunedKernel((2.0, 1.0))
    with pytest.raises(EvaluationError, match="must be a range"):
        bandwidths_of(2.0, 2.0)
