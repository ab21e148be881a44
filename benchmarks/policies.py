"""What one decision and one update cost through the Python API, beside MABWiser.

Where it stands: `python -m benchmarks.policies [--json FILE] [--quick]`. 2,000 rounds of decide,
draw and learn on one synthetic linear problem with 20 actions, 30 context features and 8 shared
features. Medians, since other work on the machine only ever adds time. MABWiser knows neither
shared features nor probabilities, so it is asked for less.
"""

from __future__ import annotations

import importlib
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from benchmarks.report import Table, parse_options, publish
from policy.bandits.build import POLICY_KINDS, make_policy
from policy.base import Batch, Candidates, draw

if TYPE_CHECKING:
    from collections.abc import Callable

Array = npt.NDArray[Any]

N_ACTIONS, N_CONTEXT, N_SHARED = 20, 30, 8
N_WARM = 50
IDS = tuple(f"action-{i}" for i in range(N_ACTIONS))
PEERS = {"MABWiser LinUCB": "LinUCB", "MABWiser LinTS": "LinTS"}
YARDSTICK = "MABWiser LinUCB"


class Learner(Protocol):
    """What is timed."""

    def decide(self, context: Array, features: Array) -> int:
        """The index of an action."""

    def learn(self, context: Array, features: Array, action: int, reward: float) -> None:
        """One row."""


class Ours:
    """One of our policies."""

    def __init__(self, kind: str) -> None:
        self.policy = make_policy(kind, N_CONTEXT, N_SHARED)
        self.rng = np.random.default_rng(1)

    def decide(self, context: Array, features: Array) -> int:
        """The distribution first, then one draw."""
        probabilities = self.policy.distribution(context, Candidates(IDS, features), self.rng)
        return draw(probabilities, self.rng.random())

    def learn(self, context: Array, features: Array, action: int, reward: float) -> None:
        """A batch of one row."""
        self.policy.update(
            Batch(
                context[None],
                features[action : action + 1],
                (IDS[action],),
                np.array([reward]),
                np.ones(1, np.bool_),
            )
        )


class MABWiser:
    """One of the peer's policies."""

    def __init__(self, name: str) -> None:
        mab = importlib.import_module("mabwiser.mab")
        policy = getattr(mab.LearningPolicy, name)(alpha=0.3)
        self.mab = mab.MAB(list(range(N_ACTIONS)), policy, seed=1)
        # It chooses nothing before it was fitted.
        self.mab.fit([0], [0.0], np.ones((1, N_CONTEXT)))

    def decide(self, context: Array, features: Array) -> int:
        """Its own choice."""
        return int(self.mab.predict(context[None]))

    def learn(self, context: Array, features: Array, action: int, reward: float) -> None:
        """One row."""
        self.mab.partial_fit([action], [reward], context[None])


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


def measure(name: str, learner: Learner, n_rounds: int) -> Row:
    """Time every round but the first few, which warm caches."""
    rng = np.random.default_rng(0)
    own = rng.normal(size=(N_ACTIONS, N_CONTEXT)) / np.sqrt(N_CONTEXT)
    shared = rng.normal(size=N_SHARED) / np.sqrt(N_SHARED)
    times = np.empty((2, N_WARM + n_rounds))
    for i in range(N_WARM + n_rounds):
        context = rng.normal(size=N_CONTEXT).astype(np.float32)
        context[0] = 1.0
        features = rng.normal(size=(N_ACTIONS, N_SHARED)).astype(np.float32)
        start = time.perf_counter_ns()
        action = learner.decide(context, features)
        decided = time.perf_counter_ns()
        reward = float(own[action] @ context + features[action] @ shared + 0.5 * rng.normal())
        earned = time.perf_counter_ns()
        learner.learn(context, features, action, reward)
        times[:, i] = decided - start, time.perf_counter_ns() - earned
    times = times[:, N_WARM:] / 1_000
    decision_us, update_us = np.median(times, axis=1)
    p99_us = np.percentile(times[0], 99)
    return Row(name, round(decision_us, 1), round(update_us, 1), round(p99_us, 1))


def attempt(name: str, build: Callable[[], Learner], n_rounds: int) -> Row:
    """The row of a learner, or one that says that it is not installed."""
    try:
        learner = build()
    except ModuleNotFoundError as missing:
        return Row(f"{name}: {missing.name} is not installed (pip install 'segue[peers]')")
    return measure(name, learner, n_rounds)


def run(n_rounds: int) -> list[Row]:
    """All rows; `speedup` is how many times faster than MABWiser's LinUCB a whole round is."""
    rows = [attempt(kind, lambda kind=kind: Ours(kind), n_rounds) for kind in POLICY_KINDS]
    rows += [
        attempt(name, lambda policy=policy: MABWiser(policy), n_rounds)
        for name, policy in PEERS.items()
    ]
    whole_us = next((row.round_us for row in rows if row.learner == YARDSTICK), None)
    for row in rows:
        if whole_us is not None and row.round_us is not None:
            row.speedup = round(whole_us / row.round_us, 1)
    return rows


def main() -> None:
    options = parse_options(__doc__.splitlines()[0])
    n_rounds = 300 if options.quick else 2_000
    rows = run(n_rounds)
    table = Table(
        f"{n_rounds} rounds, {N_ACTIONS} actions, {N_CONTEXT} context and {N_SHARED} shared "
        "features",
        ("learner", "us/decision", "us/update", "p99 us/decision", f"x {YARDSTICK}"),
        [
            (row.learner, row.decision_us, row.update_us, row.decision_p99_us, row.speedup)
            for row in rows
        ],
    )
    numbers = {"n_rounds": n_rounds, "rows": [asdict(row) for row in rows]}
    publish("policies", [table], numbers, options)


if __name__ == "__main__":
    main()
