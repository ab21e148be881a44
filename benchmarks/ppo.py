"""How much of a known optimum PPO reaches, beside what bandits do.

Where it stands: `python -m benchmarks.ppo [--json FILE] [--quick]`. On the discretised shopper of
`simulator.optimum.shopper`, every policy is scored by exact policy evaluation and shown as a share
of what dynamic programming earns. Then the negative control, a world without carry-over, and what
training and serving cost. Times are CPU seconds of this process with one thread.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import time  # threads are counted when numpy and torch load
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from benchmarks.report import Table, parse_options, publish
from policy.bandits.build import make_policy
from policy.base import Batch, Candidates
from policy.errors import UnsupportedError
from policy.ppo.forward import Forward
from policy.ppo.network import untrained
from policy.ppo.policy import PPOPolicy
from policy.ppo.settings import TrainingSettings
from simulator.optimum.mdp import (
    FiniteMDP,
    always,
    best_constant,
    best_of,
    expected_return,
    myopic,
    solve,
)
from simulator.optimum.shopper import (
    ACTIONS,
    CONTACT,
    FATIGUES,
    Carryover,
    discrete_shopper,
    observations,
    states,
)
from simulator.optimum.vector_env import FiniteVectorEnv

if TYPE_CHECKING:
    from collections.abc import Callable

    from policy.base import Policy
    from policy.ppo.network import Network

Array = npt.NDArray[np.float64]

SEEDS = (0, 1, 2, 3, 4)
FRESH_SEEDS = (11,)
"""Nothing was chosen by what came of these."""
N_SHOPPERS = 256
N_BANDIT_ROUNDS = 40_000
REWARD_UNIT_CENTS = 200.0
BANDITS = ("default", "linucb", "squarecb", "segmented")
NAMES = tuple(f"x{column}" for column in range(observations().shape[1]))
GUARD = 0.9


@dataclass(slots=True)
class Row:
    """One policy: what it earns as a share of the optimum, and what it took to learn."""

    policy: str
    share: float | None = None
    sampled_share: float | None = None
    frames: int | None = None
    cpu_seconds: float | None = None


class World:
    """A process with its optimum."""

    def __init__(self, mdp: FiniteMDP) -> None:
        start = time.process_time()
        self.mdp = mdp
        best, values = solve(mdp)
        self.optimum = float(mdp.start @ values)
        self.best = always(mdp, best)
        self.solve_seconds = time.process_time() - start

    def share(self, policy: Array) -> float:
        """Of the optimum."""
        return expected_return(self.mdp, policy) / self.optimum

    def row(self, name: str, policy: Array) -> Row:
        """A policy that needs no learning."""
        return Row(name, self.share(policy))


def references(world: World) -> list[Row]:
    """What needs no learning."""
    mdp = world.mdp
    contacts = CONTACT > 0
    capped = [myopic(mdp, ~((states()[:, 2:3] >= cap) & contacts)) for cap in FATIGUES]
    solved = world.row("dynamic programming", world.best)
    solved.cpu_seconds = world.solve_seconds
    return [
        solved,
        world.row("oracle myopic (a bandit that knows all)", myopic(mdp)),
        world.row("oracle myopic under its best fatigue cap", best_of(mdp, capped)),
        world.row("best constant", best_constant(mdp)),
        world.row("random", np.full(mdp.rewards.shape, 1.0 / mdp.n_actions)),
    ]


def train_ppo(world: World, frames: int, seed: int, gamma: float) -> tuple[Network, float]:
    """The trained network and its CPU seconds, from nothing to the network."""
    from policy.ppo.train import train  # noqa: PLC0415  # torch is optional

    settings = TrainingSettings(frames=frames, seed=seed, gamma=gamma, checkpoint_frames=frames)
    start = time.process_time()
    envs = FiniteVectorEnv(N_SHOPPERS, world.mdp, observations(), reward_unit=REWARD_UNIT_CENTS)
    network = train(envs, NAMES, ACTIONS, settings).network
    return network, time.process_time() - start


def ppo_row(world: World, frames: int, seed: int, gamma: float = 0.99) -> Row:
    """PPO's most likely actions, and its distribution as it is."""
    name = f"PPO, gamma {gamma:g}, seed {seed}"
    try:
        network, seconds = train_ppo(world, frames, seed, gamma)
    except UnsupportedError as missing:
        return Row(f"{name}: {missing}")
    sampled = network.probabilities(observations()).astype(np.float64)
    sampled /= sampled.sum(1, keepdims=True)
    share = world.share(always(world.mdp, sampled.argmax(1)))
    return Row(name, share, world.share(sampled), frames, round(seconds, 1))


def bandit_row(world: World, kind: str, n_rounds: int) -> Row:
    """One of our bandits, learning from the immediate rewards of its own decisions."""
    start = time.process_time()
    envs = FiniteVectorEnv(N_SHOPPERS, world.mdp, observations(), reward_unit=REWARD_UNIT_CENTS)
    policy, rng = make_policy(kind, len(NAMES) + 1, 0), np.random.default_rng(0)
    seen, _ = envs.reset(seed=0)
    for _ in range(max(n_rounds // N_SHOPPERS, 1)):
        contexts = with_constant(seen)
        actions = np.array(
            [rng.choice(len(ACTIONS), p=decide(policy, context, rng)) for context in contexts]
        )
        seen, rewards, *_ = envs.step(actions)
        ids = tuple(ACTIONS[action] for action in actions)
        empty, first = np.zeros((len(ids), 0)), np.ones(len(ids), np.bool_)
        policy.update(Batch(contexts, empty, ids, rewards, first))
    learned = np.array([decide(policy, x, rng) for x in with_constant(observations())])
    share = world.share(always(world.mdp, learned.argmax(1)))
    seconds = round(time.process_time() - start, 1)
    return Row(f"bandit: {kind}", share, world.share(learned), n_rounds, seconds)


def decide(policy: Policy, context: Array, rng: np.random.Generator) -> Array:
    """Its distribution over all actions."""
    empty = np.zeros((len(ACTIONS), 0))
    probabilities = policy.distribution(context, Candidates(ACTIONS, empty), rng)
    return probabilities / probabilities.sum()


def with_constant(seen: npt.NDArray[np.float32]) -> Array:
    """Contexts with the constant that linear models need."""
    return np.column_stack([seen, np.ones(len(seen))]).astype(np.float64)


def serving_us(n_rounds: int) -> dict[str, float]:
    """Median microseconds of a decision among 12 actions on 30 features, and its parts."""
    rng = np.random.default_rng(0)
    names, ids = tuple(f"x{i}" for i in range(30)), tuple(f"a{i}" for i in range(12))
    network = untrained(names, ids, rng)
    policy, forward = PPOPolicy(network, ("intercept", *names), 4), Forward(network)
    candidates = Candidates(ids, np.zeros((12, 4)))

    def to_probabilities(row: npt.NDArray[np.float32]) -> None:
        logits, _ = forward(row)
        logits -= np.maximum.reduce(logits)
        weights = np.exp(logits, out=logits)
        weights /= np.add.reduce(weights)

    rows = rng.normal(size=(n_rounds, 31)).astype(np.float32)
    return {
        "observation to probabilities, and the value": _median_us(to_probabilities, rows[:, 1:]),
        "a decision behind the contract of every policy": _median_us(
            lambda row: policy.distribution(row, candidates, rng), rows
        ),
    }


def _median_us(work: Callable[[npt.NDArray[np.float32]], object], rows: Any) -> float:
    times = np.empty(len(rows))
    for i, row in enumerate(rows):
        start = time.perf_counter_ns()
        work(row)
        times[i] = time.perf_counter_ns() - start
    return float(np.median(times)) / 1e3


def main() -> None:
    options = parse_options(__doc__.splitlines()[0])
    frames = 300_000 if options.quick else 5_000_000
    seeds = SEEDS[:1] if options.quick else SEEDS + FRESH_SEEDS
    rounds = N_BANDIT_ROUNDS // 10 if options.quick else N_BANDIT_ROUNDS
    world, control = World(discrete_shopper()), World(discrete_shopper(Carryover().off()))
    fixed = references(world)
    for row in fixed[1:2] + fixed[3:4]:
        assert row.share is not None
        assert row.share <= GUARD, f"{row.policy} earns {row.share:.3f}: this world proves nothing"
    learned = [ppo_row(world, frames, seed) for seed in seeds]
    if not options.quick:
        learned += [ppo_row(world, frames // 2, seed) for seed in (seeds[0], *FRESH_SEEDS)]
    learned.append(ppo_row(world, frames, seeds[0], gamma=0.0))
    learned += [bandit_row(world, kind, rounds) for kind in BANDITS]
    negative = [*references(control)[:2], ppo_row(control, frames, seeds[0])]
    costs = serving_us(2_000 if options.quick else 20_000)
    tables = [
        table("share of the optimum, discretised shopper", fixed[:1] + learned + fixed[1:]),
        table("negative control: nothing done today matters tomorrow", negative),
        Table("serving, 30 features and 12 actions", ("", "median us"), list(costs.items())),
    ]
    numbers: dict[str, Any] = {
        "carry_over": [asdict(row) for row in fixed + learned],
        "control": [asdict(row) for row in negative],
        "serving_us": costs,
    }
    publish("ppo", tables, numbers, options)


def table(title: str, rows: list[Row]) -> Table:
    """Rows as markdown."""
    return Table(
        title,
        ("policy", "most likely action", "as drawn", "frames", "CPU s", "frames/CPU s"),
        [
            (
                row.policy,
                row.share,
                row.sampled_share,
                row.frames,
                row.cpu_seconds,
                round(row.frames / row.cpu_seconds) if row.frames and row.cpu_seconds else None,
            )
            for row in rows
        ],
    )


if __name__ == "__main__":
    main()
