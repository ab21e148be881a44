"""What real logs say, beside what is known otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.ope.real_logs import ARMS, CAMPAIGNS, hillstrom, open_bandit, thompson
from policy.ope.evaluate import Question, evaluate
from policy.ope.log import Decisions
from policy.ope.targets import ByLabel, Constant, Given

if TYPE_CHECKING:
    from pathlib import Path

    from policy.ope.intervals.base import Interval
    from policy.ope.targets import Target

RULES = {
    "womens to its buyers": ByLabel("womens", {"1": ARMS[2]}, ARMS[1]),
    "mens to its buyers": ByLabel("mens", {"1": ARMS[1]}, ARMS[2]),
    "none to newcomers": ByLabel("newbie", {"1": ARMS[0]}, ARMS[1]),
}


@dataclass(frozen=True, slots=True)
class Known:
    """An estimate of a value that is known otherwise.

    Args:
        name: Of log and policy.
        known: What the policy earned where it was followed.
        error: Standard error of that.
        estimate: From the log.
        interval: Of the estimate.
    """

    name: str
    known: float
    error: float
    estimate: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Searched:
    """A rule that was searched on one half of a log and judged on the other.

    Args:
        name: Of the label that tells visitors apart.
        advantage: Over the best single arm.
        interval: Of it, corrected for the number of rules that were tried.
    """

    name: str
    advantage: float
    interval: Interval

    @property
    def is_better(self) -> bool:
        """Whether it clearly beats the best single arm."""
        return self.interval.low > 0.0


def thompson_from_random(data: Path) -> list[Known]:
    """The value of Thompson sampling from the random log, and what it earned live."""
    found = []
    for campaign in CAMPAIGNS:
        random, live = (open_bandit(policy, campaign, data) for policy in ("random", "bts"))
        target = Given(thompson(campaign, data)[random.position])
        best = evaluate(lambda log=random: [log], Question({"bts": target})).of("bts").best
        found.append(_known(f"open bandit, {campaign}", live.reward, best.value, best.interval))
    return found


def arms_and_rules(data: Path) -> list[Known]:
    """The three e-mails and three targeting rules, and their means where they were followed."""
    log = hillstrom(data)
    targets: dict[str, Target] = {arm: Constant(arm) for arm in ARMS} | RULES
    result = evaluate(lambda: [log], Question(targets))
    found = []
    for name, target in targets.items():
        followed = log.taken(target.probabilities(log)) == 1.0
        best = result.of(name).best
        found.append(_known(f"e-mail, {name}", log.reward[followed], best.value, best.interval))
    return found


def searched_rules(data: Path, seed: int = 0) -> list[Searched]:
    """For every label, the best e-mail of each value on one half, judged on the other."""
    log = hillstrom(data)
    order = np.random.default_rng(seed).permutation(log.n_rows)
    first, second = _rows(log, order[: log.n_rows // 2]), _rows(log, order[log.n_rows // 2 :])
    arm = _best(first, np.ones(first.n_rows, np.bool_))
    targets: dict[str, Target] = {"best arm": Constant(arm)}
    for label, values in first.labels.items():
        chosen = {str(value): _best(first, values == value) for value in np.unique(values)}
        targets[label] = ByLabel(label, chosen, arm)
    result = evaluate(lambda: [second], Question(targets, baseline="best arm"))
    advantages = [(label, result.of(label).advantage) for label in first.labels]
    return [Searched(name, one.value, one.interval) for name, one in advantages if one is not None]


def _known(name: str, rewards: np.ndarray, estimate: float, interval: Interval) -> Known:
    error = float(rewards.std(ddof=1) / np.sqrt(len(rewards)))
    return Known(name, float(rewards.mean()), error, estimate, interval)


def _best(log: Decisions, rows: np.ndarray) -> str:
    means = [log.reward[rows & (log.action == arm)].mean() for arm in range(len(ARMS))]
    return ARMS[int(np.argmax(means))]


def _rows(log: Decisions, rows: np.ndarray) -> Decisions:
    return Decisions(
        log.actions,
        log.action[rows],
        log.reward[rows],
        log.propensity[rows],
        log.context[rows],
        labels={name: values[rows] for name, values in log.labels.items()},
    )
