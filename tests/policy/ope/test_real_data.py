"""On real logs, estimates agree with what was measured otherwise, and claim no more."""

from __future__ import annotations

import pytest

from benchmarks.ope.real import arms_and_rules, searched_rules
from benchmarks.ope.real_logs import ARMS, DATA, hillstrom, open_bandit, thompson
from policy.ope.estimators.replay import Replay
from policy.ope.estimators.snips import SNIPS
from policy.ope.evaluate import Question, evaluate
from policy.ope.targets import ByLabel, Constant, Given, Uniform

needs = {
    name: pytest.mark.skipif(not (DATA / name).exists(), reason=f"the data set {name} is absent")
    for name in ("hillstrom", "obd")
}


@needs["hillstrom"]
def test_arms_and_rules_are_worth_their_direct_means() -> None:
    for one in arms_and_rules(DATA):
        assert one.interval.holds(one.known), one.name
        assert one.estimate == pytest.approx(one.known, abs=one.error), one.name


@needs["hillstrom"]
def test_every_estimator_finds_the_direct_means() -> None:
    log = hillstrom()
    rule = ByLabel("womens", {"1": "Womens E-Mail"}, "Mens E-Mail")
    targets = {arm: Constant(arm) for arm in ARMS} | {"rule": rule}
    found = evaluate(lambda: [log], Question(targets))
    for name, target in targets.items():
        followed = log.taken(target.probabilities(log)) == 1.0
        direct = log.reward[followed].mean()
        result = found.of(name)
        assert result.diagnosis.answerable
        values = {estimate.estimator: estimate for estimate in result.estimates}
        assert values["snips"].value == pytest.approx(direct)
        for estimator in ("sndr", "doubly_robust", "ips"):
            assert values[estimator].value == pytest.approx(direct, abs=3 * values["ips"].error)
            assert values[estimator].interval.holds(direct)


@needs["hillstrom"]
def test_no_searched_rule_clearly_beats_the_best_single_arm() -> None:
    """Searched on one half by label, judged on the other, with a correction for trying many."""
    found = [one for seed in range(3) for one in searched_rules(DATA, seed)]
    assert len(found) == 18
    assert not any(one.is_better for one in found)


@needs["obd"]
@pytest.mark.parametrize("campaign", ["men", "women"])
def test_thompson_sampling_is_foretold_from_the_random_log(campaign: str) -> None:
    pytest.importorskip("pyarrow", reason="reads parquet; the extra [parquet]")
    random, on_policy = (open_bandit(policy, campaign) for policy in ("random", "bts"))
    target = thompson(campaign)[random.position]
    question = Question({"bts": Given(target), "random": Uniform()})
    result = evaluate(lambda: [random], question).of("bts")
    truth = on_policy.reward.mean()
    assert result.best.interval.holds(truth)
    for estimate in result.estimates:
        if estimate.estimator in ("sndr", "doubly_robust", "snips", "ips"):
            assert estimate.interval.holds(truth), estimate


@needs["obd"]
def test_on_the_uniform_log_replay_and_snips_agree() -> None:
    """With one propensity for all rows they are one formula."""
    pytest.importorskip("pyarrow", reason="reads parquet; the extra [parquet]")
    random = open_bandit("random", "men")
    target = Given(thompson("men")[random.position])
    question = Question({"bts": target}, estimators=(SNIPS(), Replay()))
    snips, replay = evaluate(lambda: [random], question).of("bts").estimates
    assert snips.value == pytest.approx(replay.value, rel=1e-6)
