"""What a search claims where nothing is to be found, beside the best of many at its word."""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from policy.bandits.build import make_policy
from policy.ope.log import Decisions
from policy.ope.search import search

if TYPE_CHECKING:
    from pathlib import Path

    from policy.base import Policy
    from policy.ope.search import Learner

N_ACTIONS, N_CONTEXT, VALUE = 4, 5, 0.3
CONFIGURATIONS: tuple[tuple[str, dict[str, float]], ...] = (
    *(("epsilon_greedy", {"epsilon": epsilon}) for epsilon in (0.0, 0.1, 0.3)),
    *(("linucb", {"alpha": alpha}) for alpha in (0.1, 0.5, 2.0)),
    *(("softmax", {"temperature": temperature}) for temperature in (0.02, 0.1, 0.5)),
    *(("squarecb", {"gamma_scale": scale}) for scale in (1.0, 10.0, 100.0)),
)


@dataclass(slots=True)
class Searches:
    """Of searches in logs whose rewards nothing foretells.

    Args:
        n_searches: All.
        naive: Those whose best candidate's 95 % interval, on the rows that chose it, lay above what
            every policy earns.
        judged: The same on the rows that had no part in the choice.
        called_better: Those that called their winner clearly better.
    """

    n_searches: int
    naive: int = 0
    judged: int = 0
    called_better: int = 0


def run_searches(n_searches: int, n_rows: int, seed: int = 0) -> Searches:
    """Search noise, again and again."""
    found = Searches(n_searches)
    for number in range(n_searches):
        log = noise(n_rows, np.random.default_rng((seed, number)))
        one = search(partial(list, [log]), learners())
        found.naive += one.tried[0].best.interval.low > VALUE
        found.judged += one.judged.best.interval.low > VALUE
        found.called_better += one.is_better
    return found


def noise(n_rows: int, rng: np.random.Generator) -> Decisions:
    """A log of random actions, whose rewards have nothing to do with them."""
    context = np.column_stack([np.ones(n_rows), rng.normal(size=(n_rows, N_CONTEXT))])
    return Decisions(
        tuple("abcd"),
        rng.integers(N_ACTIONS, size=n_rows),
        (rng.random(n_rows) < VALUE).astype(np.float64),
        np.full(n_rows, 1.0 / N_ACTIONS),
        context,
        logging=np.full((n_rows, N_ACTIONS), 1.0 / N_ACTIONS),
    )


def learners() -> dict[str, Learner]:
    """The configurations by name."""

    def made(kind: str, parameters: dict[str, float]) -> Learner:
        def make(log: Decisions) -> Policy:
            return make_policy(kind, log.context.shape[1], 0, floor=0.0, **parameters)

        return make

    return {
        f"{kind} {next(iter(parameters.values()))}": made(kind, parameters)
        for kind, parameters in CONFIGURATIONS
    }


@dataclass(frozen=True, slots=True)
class Real:
    """A search in Hillstrom's e-mails, whose arms were drawn at random.

    Args:
        outcome: `visit` or `spend`.
        winner: What it found.
        baseline: The single e-mail that looked best.
        advantage: Of the winner beyond that, with its interval.
        is_better: Whether it claims so.
    """

    outcome: str
    winner: str
    baseline: str
    advantage: float
    low: float
    high: float
    is_better: bool


def run_real(path: Path) -> list[Real]:
    """Search the e-mails for visits and for spend."""
    with gzip.open(path, "rt") as file:
        rows = list(csv.DictReader(file))
    return [_real(rows, outcome) for outcome in ("visit", "spend")]


def _real(rows: list[dict[str, str]], outcome: str) -> Real:
    features = ("recency", "history", "mens", "womens", "newbie")
    seen = np.array([[float(row[name]) for name in features] for row in rows])
    seen = (seen - seen.mean(axis=0)) / seen.std(axis=0)
    arms = tuple(sorted({row["segment"] for row in rows}))
    log = Decisions(
        arms,
        np.array([arms.index(row["segment"]) for row in rows]),
        np.array([float(row[outcome]) for row in rows]),
        np.full(len(rows), 1.0 / len(arms)),
        np.column_stack([np.ones(len(rows)), seen]),
        logging=np.full((len(rows), len(arms)), 1.0 / len(arms)),
    )
    found = search(partial(list, [log]), learners())
    one = found.comparisons[-1]
    interval = one.advantage.interval
    return Real(
        outcome, found.winner, one.baseline, one.advantage.value, interval.low, interval.high,
        found.is_better,
    )  # fmt: skip
