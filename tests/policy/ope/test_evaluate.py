"""Many policies at once, overall and by label, the same whole, in chunks and sharded."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from policy.errors import EvaluationError
from policy.ope.evaluate import Question, evaluate
from policy.ope.log import Decisions
from policy.ope.targets import Constant, Given, Logged, Uniform
from tests.policy.ope.logs import rows_of, world

MADE = world(6_000, 3)
LOG = Decisions(
    MADE.log.actions,
    MADE.log.action,
    MADE.log.reward,
    MADE.log.propensity,
    MADE.log.context,
    logging=MADE.log.logging,
    labels={"day": np.arange(6_000) // 2_000, "segment": np.tile(["x", "y"], 3_000)},
)
CHUNKS = [rows_of(LOG, start, start + 1_500) for start in range(0, 6_000, 1_500)]
QUESTION = Question(
    {"new": Given(MADE.target), "log": Logged(), "even": Uniform()}, by=("day", "segment")
)


def test_the_truth_is_in_the_intervals() -> None:
    result = evaluate(lambda: CHUNKS, QUESTION).of("new")
    assert result.diagnosis.answerable
    for estimate in result.estimates:
        if estimate.estimator in ("sndr", "doubly_robust", "snips", "ips"):
            assert estimate.interval.holds(MADE.truth), estimate


def test_the_logging_policy_earns_what_the_log_did() -> None:
    found = evaluate(lambda: CHUNKS, QUESTION)
    result = found.of("log")
    values = {estimate.estimator: estimate.value for estimate in result.estimates}
    assert values["ips"] == pytest.approx(found.mean_reward)
    assert values["snips"] == pytest.approx(LOG.reward.mean())


def test_groups_are_evaluated_on_their_rows() -> None:
    found = evaluate(lambda: CHUNKS, QUESTION)
    groups = [result.group for result in found.results if result.policy == "new"]
    assert groups == [
        ("overall", "overall"),
        ("day", "0"),
        ("day", "1"),
        ("day", "2"),
        ("segment", "x"),
        ("segment", "y"),
    ]
    rows = LOG.labels["segment"] == "y"
    weight = LOG.taken(MADE.target) / LOG.propensity
    values = {e.estimator: e.value for e in found.of("new", "segment", "y").estimates}
    assert values["ips"] == pytest.approx((weight * LOG.reward)[rows].mean())
    assert found.of("new", "segment", "y").diagnosis.n_rows == 3_000


def test_shards_give_the_same_bits_and_one_chunk_the_same_numbers() -> None:
    chunked = evaluate(lambda: CHUNKS, QUESTION)
    with ThreadPoolExecutor(2) as pool:
        assert evaluate(lambda: CHUNKS, QUESTION, pool.map) == chunked
    whole = evaluate(lambda: [LOG], QUESTION)
    for ours, theirs in zip(whole.results, chunked.results, strict=True):
        for a, b in zip(ours.estimates, theirs.estimates, strict=True):
            assert a.value == pytest.approx(b.value, rel=1e-10)
            assert a.error == pytest.approx(b.error, rel=1e-6)


def test_with_a_range_of_rewards_there_is_an_interval_for_any_time() -> None:
    question = Question({"new": Given(MADE.target)}, by=("day",), rewards=(0.0, 1.0))
    found = evaluate(lambda: CHUNKS, question)
    always = found.of("new").always
    assert always is not None
    assert always.holds(MADE.truth)
    assert always.half_width > found.of("new").best.interval.half_width
    assert found.of("new", "day", "0").always is None


def test_policies_are_compared_on_the_same_rows_with_a_correction_for_trying_many() -> None:
    targets = {"new": Given(MADE.target), "even": Uniform(), "a": Constant("a")}
    one = Question({"new": targets["new"], "even": targets["even"]}, baseline="even")
    pair = evaluate(lambda: CHUNKS, one)
    truth = MADE.truth - float(MADE.means.mean())
    found = pair.of("new").advantage
    assert found is not None
    assert found.interval.holds(truth)
    difference = pair.of("new").estimates[1].value - pair.of("even").estimates[1].value
    assert found.value == pytest.approx(difference)
    assert pair.of("even").advantage is None
    three = evaluate(lambda: CHUNKS, Question(targets, baseline="even")).of("new").advantage
    assert three is not None
    assert three.interval.level == pytest.approx(0.975)
    assert three.interval.half_width > found.interval.half_width


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(EvaluationError, match="no policy to evaluate"):
        Question({})
    with pytest.raises(EvaluationError, match="baseline 'evn': did you mean 'even'"):
        Question({"even": Uniform()}, baseline="evn")
    with pytest.raises(EvaluationError, match="results by 'week': the log lacks it"):
        evaluate(lambda: CHUNKS, Question({"even": Uniform()}, by=("week",)))
    with pytest.raises(EvaluationError, match="shows 'z'"):
        evaluate(lambda: CHUNKS, Question({"z": Constant("z")}))
    with pytest.raises(EvaluationError, match="the log has no rows"):
        evaluate(list, Question({"even": Uniform()}))
    with pytest.raises(EvaluationError, match="no result of 'old'"):
        evaluate(lambda: CHUNKS, QUESTION).of("old")
