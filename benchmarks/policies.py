"""What one decision and one update cost through the Python API, beside MABWiser and VW.

Where it stands: `python -m benchmarks.policies [--json FILE] [--quick]`. 2,000 rounds of decide,
draw and learn on two synthetic problems of 0/1 rewards: 20 actions, 30 context and 8 shared
features, as in a shop; and 10 actions with 64 context features, as in the published comparisons.
Then one decision among 1,000 and 10,000 candidates. Medians, since other work on the machine only
ever adds time. MABWiser knows neither shared features nor probabilities, so it is asked for less;
VW gets its examples ready made.
"""

from __future__ import annotations

import importlib
import time
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from benchmarks.bakeoff.vowpal_wabbit import VowpalWabbit
from benchmarks.report import Table, parse_options, publish
from policy.bandits.build import POLICY_KINDS, make_policy
from policy.base import Batch, Candidates, draw

if TYPE_CHECKING:
    from collections.abc import Callable

Array = npt.NDArray[Any]

N_WARM = 50
MABWISER = {"MABWiser LinUCB": "LinUCB", "MABWiser LinTS": "LinTS"}
YARDSTICK = "MABWiser LinUCB"
CATALOGS = (1_000, 10_000)
N_CATALOG_FEATURES = 32


@dataclass(frozen=True, slots=True)
class Problem:
    """The size of what is decided on."""

    n_actions: int
    n_context: int
    n_shared: int

    @property
    def ids(self) -> tuple[str, ...]:
        """Names of the actions."""
        return tuple(f"action-{i}" for i in range(self.n_actions))

    def __str__(self) -> str:
        return (
            f"{self.n_actions} actions, {self.n_context} context and {self.n_shared} shared "
            "features"
        )


PROBLEMS = (Problem(20, 30, 8), Problem(10, 64, 0))


class Learner(Protocol):
    """What is timed."""

    def decide(self, context: Array, features: Array) -> int:
        """The index of an action."""

    def learn(self, context: Array, features: Array, action: int, reward: float) -> None:
        """One row."""


class Ours:
    """One of our policies."""

    def __init__(self, problem: Problem, kind: str) -> None:
        self.policy = make_policy(kind, problem.n_context, problem.n_shared)
        self.rng = np.random.default_rng(1)
        self.ids = problem.ids

    def decide(self, context: Array, features: Array) -> int:
        """The distribution first, then one draw."""
        probabilities = self.policy.distribution(context, Candidates(self.ids, features), self.rng)
        return draw(probabilities, self.rng.random())

    def learn(self, context: Array, features: Array, action: int, reward: float) -> None:
        """A batch of one row."""
        self.policy.update(
            Batch(
                context[None],
                features[action : action + 1],
                (self.ids[action],),
                np.array([reward]),
                np.ones(1, np.bool_),
            )
        )


class MABWiser:
    """One of the peer's policies."""

    def __init__(self, problem: Problem, name: str) -> None:
        mab = importlib.import_module("mabwiser.mab")
        policy = getattr(mab.LearningPolicy, name)(alpha=0.3)
        self.mab = mab.MAB(list(range(problem.n_actions)), policy, seed=1)
        # It chooses nothing before it was fitted.
        self.mab.fit([0], [0.0], np.ones((1, problem.n_context)))

    def decide(self, context: Array, features: Array) -> int:
        """Its own choice."""
        return int(self.mab.predict(context[None]))

    def learn(self, context: Array, features: Array, action: int, reward: float) -> None:
        """One row."""
        self.mab.partial_fit([action], [reward], context[None])


class VW:
    """SquareCB on dense contexts; making its text from numbers is not counted as deciding."""

    def __init__(self, problem: Problem) -> None:
        options = "--squarecb --gamma_scale 500 --cb_type mtr -l 0.5"
        self.vw = VowpalWabbit(0, problem.n_actions, 1, options=options, worst=0.0)
        self.choice: Any = None
        self.example = ""

    def prepare(self, context: Array) -> None:
        """The text of a context."""
        (self.example,) = self.vw.prepare(context[None, 1:].astype(np.float64))

    def decide(self, context: Array, features: Array) -> int:
        """Its probabilities, and a draw from them."""
        self.choice = self.vw.choose(self.example)
        return int(self.choice.action)

    def learn(self, context: Array, features: Array, action: int, reward: float) -> None:
        """One labelled example."""
        self.vw.learn(self.example, self.choice, reward)


@dataclass(slots=True)
class Row:
    """One learner's medians in microseconds; None was not measured."""

    learner: str
    decision_us: float | None = None
    update_us: float | None = None
    decision_p99_us: float | None = None
    speedup: float | None = None

    @property
    def round_us(self) -> float | None:
        """A decision and its update."""
        if self.decision_us is None or self.update_us is None:
            return None
        return self.decision_us + self.update_us


def measure(name: str, learner: Learner, problem: Problem, n_rounds: int) -> Row:
    """Time every round but the first few, which warm caches."""
    rng = np.random.default_rng(0)
    n_actions, n_context, n_shared = problem.n_actions, problem.n_context, problem.n_shared
    own = rng.normal(size=(n_actions, n_context)) / np.sqrt(n_context)
    shared = rng.normal(size=n_shared) / np.sqrt(max(n_shared, 1))
    prepare = getattr(learner, "prepare", lambda context: None)
    times = np.empty((2, N_WARM + n_rounds))
    for i in range(N_WARM + n_rounds):
        context = rng.normal(size=n_context).astype(np.float32)
        context[0] = 1.0
        features = rng.normal(size=(n_actions, n_shared)).astype(np.float32)
        prepare(context)
        start = time.perf_counter_ns()
        action = learner.decide(context, features)
        decided = time.perf_counter_ns()
        log_odds = own[action] @ context + features[action] @ shared
        reward = float(rng.random() < 1.0 / (1.0 + np.exp(-log_odds)))
        earned = time.perf_counter_ns()
        learner.learn(context, features, action, reward)
        times[:, i] = decided - start, time.perf_counter_ns() - earned
    times = times[:, N_WARM:] / 1_000
    decision_us, update_us = np.median(times, axis=1)
    p99_us = np.percentile(times[0], 99)
    return Row(name, round(decision_us, 1), round(update_us, 1), round(p99_us, 1))


def attempt(name: str, build: Callable[[], Learner], problem: Problem, n_rounds: int) -> Row:
    """The row of a learner, or one that says that it is not installed."""
    try:
        learner = build()
    except ModuleNotFoundError as missing:
        return Row(f"{name}: {missing.name} is not installed (pip install 'segue[peers]')")
    return measure(name, learner, problem, n_rounds)


def run(problem: Problem, n_rounds: int) -> list[Row]:
    """All rows; `speedup` is how many times faster than MABWiser's LinUCB a whole round is."""
    builds: dict[str, Callable[[], Learner]] = {
        kind: partial(Ours, problem, kind) for kind in POLICY_KINDS
    }
    builds |= {name: partial(MABWiser, problem, policy) for name, policy in MABWISER.items()}
    builds["VW squarecb"] = partial(VW, problem)
    rows = [attempt(name, build, problem, n_rounds) for name, build in builds.items()]
    whole_us = next((row.round_us for row in rows if row.learner == YARDSTICK), None)
    for row in rows:
        if whole_us is not None and row.round_us is not None:
            row.speedup = round(whole_us / row.round_us, 1)
    return rows


def large_catalogs(n_rounds: int) -> dict[str, dict[int, float]]:
    """Median milliseconds of one decision among many, of which 100 were learned from."""
    found: dict[str, dict[int, float]] = {}
    for kind in POLICY_KINDS:
        for n_actions in CATALOGS:
            rng = np.random.default_rng(0)
            problem = Problem(n_actions, 10, N_CATALOG_FEATURES)
            learner, times = Ours(problem, kind), []
            features = rng.normal(size=(n_actions, problem.n_shared)).astype(np.float32)
            for i in range(n_rounds):
                context = rng.normal(size=problem.n_context)
                if i < 100:
                    learner.learn(context, features, i, float(rng.random()))
                start = time.perf_counter_ns()
                learner.decide(context, features)
                times.append(time.perf_counter_ns() - start)
            found.setdefault(kind, {})[n_actions] = round(float(np.median(times[50:])) / 1e6, 3)
    return found


def main() -> None:
    options = parse_options(__doc__.splitlines()[0])
    n_rounds = 300 if options.quick else 2_000
    tables, numbers = [], {}
    for problem in PROBLEMS:
        rows = run(problem, n_rounds)
        tables.append(_table(problem, rows, n_rounds))
        numbers[str(problem)] = [asdict(row) for row in rows]
    catalogs = large_catalogs(n_rounds // 5)
    title = f"milliseconds a decision, 10 context and {N_CATALOG_FEATURES} shared features"
    headers = ("learner", *(f"{n:,} candidates" for n in CATALOGS))
    tables.append(Table(title, headers, [(kind, *ms.values()) for kind, ms in catalogs.items()]))
    publish("policies", tables, {"n_rounds": n_rounds, **numbers, "catalogs": catalogs}, options)


def _table(problem: Problem, rows: list[Row], n_rounds: int) -> Table:
    return Table(
        f"{n_rounds} rounds, {problem}",
        ("learner", "us/decision", "us/update", "us/round", "p99 us/decision", f"x {YARDSTICK}"),
        [
            (
                row.learner,
                row.decision_us,
                row.update_us,
                row.round_us,
                row.decision_p99_us,
                row.speedup,
            )
            for row in rows
        ],
    )


if __name__ == "__main__":
    main()
