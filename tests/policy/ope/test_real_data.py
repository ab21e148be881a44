"""On real logs, estimates agree with what was measured otherwise, and claim no more."""

from __future__ import annotations

import csv
import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from policy.ope.estimators.replay import Replay
from policy.ope.estimators.snips import SNIPS
from policy.ope.evaluate import Question, evaluate
from policy.ope.log import Decisions
from policy.ope.targets import ByLabel, Constant, Given, Uniform

ROOT = Path(__file__).parents[3]
DATA = Path(os.environ.get("SEGUE_DATA", ROOT / "../shared/data"))
ARMS = ("No E-Mail", "Mens E-Mail", "Womens E-Mail")

needs = {
    name: pytest.mark.skipif(not (DATA / name).exists(), reason=f"the data set {name} is absent")
    for name in ("hillstrom", "obd")
}


@pytest.fixture(scope="module")
def hillstrom() -> Decisions:
    with gzip.open(DATA / "hillstrom/hillstrom_dev.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    labels = ("history_segment", "zip_code", "channel", "newbie", "mens", "womens")
    context = np.array(
        [[float(row[name]) for name in ("recency", "mens", "womens")] for row in rows]
    )
    return Decisions(
        ARMS,
        np.array([ARMS.index(row["segment"]) for row in rows]),
        np.array([float(row["visit"]) for row in rows]),
        np.full(len(rows), 1 / 3),
        (context - context.mean(axis=0)) / context.std(axis=0),
        labels={name: np.array([row[name] for row in rows]) for name in labels},
    )


@needs["hillstrom"]
def test_arms_and_rules_are_worth_their_direct_means(hillstrom: Decisions) -> None:
    rule = ByLabel("womens", {"1": "Womens E-Mail"}, "Mens E-Mail")
    targets = {arm: Constant(arm) for arm in ARMS} | {"rule": rule}
    found = evaluate(lambda: [hillstrom], Question(targets))
    for name, target in targets.items():
        followed = hillstrom.taken(target.probabilities(hillstrom)) == 1.0
        direct = hillstrom.reward[followed].mean()
        result = found.of(name)
        assert result.diagnosis.answerable
        values = {estimate.estimator: estimate for estimate in result.estimates}
        assert values["snips"].value == pytest.approx(direct)
        for estimator in ("sndr", "doubly_robust", "ips"):
            assert values[estimator].value == pytest.approx(direct, abs=3 * values["ips"].error)
            assert values[estimator].interval.holds(direct)


@needs["hillstrom"]
def test_no_searched_rule_clearly_beats_the_best_single_arm(hillstrom: Decisions) -> None:
    """Searched on one half by label, judged on the other, with a correction for trying many."""
    half = len(hillstrom.action) // 2
    first, second = _halves(hillstrom, half)
    best = ARMS[int(np.argmax([first.reward[first.action == a].mean() for a in range(3)]))]
    targets = {"best arm": Constant(best)}
    for label, values in first.labels.items():
        best_of_value = {}
        for value in np.unique(values):
            means = [first.reward[(values == value) & (first.action == a)].mean() for a in range(3)]
            best_of_value[str(value)] = ARMS[int(np.argmax(means))]
        targets[label] = ByLabel(label, best_of_value, best)
    found = evaluate(lambda: [second], Question(targets, baseline="best arm"))
    advantages = [found.of(label).advantage for label in first.labels]
    assert all(advantage.interval.low <= 0.0 for advantage in advantages if advantage)


@needs["obd"]
@pytest.mark.parametrize("campaign", ["men", "women"])
def test_thompson_sampling_is_foretold_from_the_random_log(campaign: str) -> None:
    random, on_policy = _obd("random", campaign), _obd("bts", campaign)
    target = _thompson(campaign, random.n_actions)[random.position]
    question = Question({"bts": Given(target), "random": Uniform()})
    result = evaluate(lambda: [random], question).of("bts")
    truth = on_policy.reward.mean()
    for estimate in result.estimates:
        if estimate.estimator in ("sndr", "doubly_robust", "snips", "ips"):
            assert estimate.interval.holds(truth), estimate


@needs["obd"]
def test_on_the_uniform_log_replay_and_snips_agree() -> None:
    """With one propensity for all rows they are one formula."""
    random = _obd("random", "men")
    target = Given(_thompson("men", random.n_actions)[random.position])
    question = Question({"bts": target}, estimators=(SNIPS(), Replay()))
    snips, replay = evaluate(lambda: [random], question).of("bts").estimates
    assert snips.value == pytest.approx(replay.value, rel=1e-6)


def _halves(log: Decisions, half: int) -> tuple[Decisions, Decisions]:
    order = np.random.default_rng(0).permutation(log.n_rows)
    first, second = (
        Decisions(
            log.actions,
            log.action[rows],
            log.reward[rows],
            log.propensity[rows],
            log.context[rows],
            labels={name: values[rows] for name, values in log.labels.items()},
        )
        for rows in (order[:half], order[half:])
    )
    return first, second


def _obd(policy: str, campaign: str) -> Decisions:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    names = ["item_id", "position", "click", "propensity_score"]
    table = parquet.read_table(DATA / f"obd/{policy}_{campaign}.parquet", columns=names)
    item, position, click, propensity = (table[name].to_numpy() for name in names)
    n_actions = {"men": 34, "women": 46}[campaign]
    return Decisions(
        tuple(map(str, range(n_actions))),
        item.astype(np.int64),
        click.astype(np.float64),
        propensity.astype(np.float64),
        position=position.astype(np.int64) - 1,
    )


def _thompson(campaign: str, n_actions: int) -> np.ndarray:
    """P(an item is ranked first, second, third) under the prior that the store used, (3, n)."""
    prior: dict[str, list[float]] = {"alpha": [], "beta": []}
    within = name = ""
    for line in (DATA / "obd/prior_bts.yaml").read_text().splitlines():
        if line.endswith(":"):
            within, name = (within, line.strip(" :")) if line[0] == " " else (line[:-1], "")
        elif within == campaign and line.strip():
            prior[name].append(float(line.strip(" -")))
    rng = np.random.default_rng(0)
    draws = rng.beta(prior["alpha"], prior["beta"], (50_000, n_actions))
    ranked = np.argsort(-draws, axis=1)[:, :3]
    return np.array([np.bincount(ranked[:, i], minlength=n_actions) for i in range(3)]) / 50_000
