"""What PPO earns in the full worlds, beside the service's bandits, on shoppers that it has not met.

Where it stands: `python -m benchmarks.ppo_shoppers [--json FILE] [--quick]`. A model is trained on
one world as `segue train ppo` does it, then meets new shoppers in that world and in three whose
effects are each off by up to a quarter. Everybody meets twins; gains are paired differences to what
`nothing` earns, and to the bandit that a placement has unless configured, with 95 % intervals. The
bandits learn from all shoppers of their world as they go, so their rows hold for these shoppers.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import tempfile  # threads are counted when numpy and torch load
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from rich.console import Console

from api.cli.train import run, settings_for
from benchmarks.report import Table, parse_options, publish
from simulator.crowd import Crowd
from simulator.dynamics.expected import expected_rewards
from simulator.dynamics.memory import keep_freed_memory
from simulator.experiment.deciders import Bandit, Decider, Fixed, Trained
from simulator.experiment.life import live_through
from simulator.experiment.summary import interval
from simulator.scenarios.scenario import load_world

if TYPE_CHECKING:
    from simulator.dynamics.world import World

Array = npt.NDArray[np.float64]

SCENARIO, PERTURBATIONS = "steady", (1, 2, 3)
FRAMES, SEED, N_SHOPPERS, N_TO_TRAIN = 3_000_000, 0, 1_000, 256
HELD_OUT = 2**41
SHIPPED = "linucb"
SHARES = (0.1, 0.2, 0.3, 0.4)


@dataclass(frozen=True, slots=True)
class Row:
    """One policy in one world: its gain over ``nothing``, and PPO's gain over it, in units."""

    world: str
    policy: str
    gain: float
    low: float
    high: float
    ppo: float | None = None
    ppo_low: float | None = None
    ppo_high: float | None = None


def trained(frames: int) -> tuple[Trained, float]:
    """A model of the plain world, and the CPU seconds that it took."""
    begun, world = time.process_time(), load_world(SCENARIO)
    settings = settings_for(world, frames=frames, gamma=0.995, seed=SEED)
    with tempfile.TemporaryDirectory() as folder:
        network = run(Console(stderr=True), world, settings, N_TO_TRAIN, Path(folder) / "c")
    return Trained(network), time.process_time() - begun


def mixtures(world: World) -> dict[str, Fixed]:
    """Policies that know nobody: e-mails and push messages without a discount, now and then."""
    ids = [action.id for action in world.actions]
    found = {}
    for share in SHARES:
        weights = np.zeros(len(ids))
        weights[ids.index("email-news")] = weights[ids.index("push-news")] = share / 2.0
        weights[0] = 1.0 - share
        found[f"news on {share:.0%} of days, drawn"] = Fixed(weights)
    return found


def myopic_returns(world: World, n_shoppers: int) -> Array:
    """Of a policy that knows each shopper and every action's true expected reward of the day."""
    crowd = Crowd(world, n_shoppers, seed=HELD_OUT, observe="oracle")
    total = np.zeros(n_shoppers)
    for _ in range(world.horizon_days):
        worth = [
            expected_rewards(world, crowd.traits, crowd.state, action, crowd.keys)
            for action in np.arange(world.n_actions)[:, None].repeat(n_shoppers, axis=1)
        ]
        best = np.where(crowd.mask(), np.stack(worth, axis=1), -np.inf).argmax(1)
        total += crowd.live(best).reward
    return total


def world_rows(name: str, ppo: Decider, n_shoppers: int, bandits: tuple[str, ...]) -> list[Row]:
    """Everybody in one world."""
    world = load_world(name)
    ids = tuple(action.id for action in world.actions)
    names = Crowd(world, 1).names

    def returns(decider: Decider) -> Array:
        return live_through(world, decider, n_shoppers, seed=HELD_OUT).returns_cents

    earned = {"PPO": returns(ppo), "nothing": returns(Fixed(np.eye(len(ids))[0]))}
    earned |= {f"bandit: {kind}": returns(Bandit(kind, len(names), ids, 0)) for kind in bandits}
    earned |= {policy: returns(decider) for policy, decider in mixtures(world).items()}
    earned["oracle myopic"] = myopic_returns(world, n_shoppers)
    rows = []
    for policy, own in earned.items():
        beside = interval((earned["PPO"] - own) / 100.0) if policy != "PPO" else (None,) * 3
        rows.append(Row(name, policy, *interval((own - earned["nothing"]) / 100.0), *beside))
    return rows


def main() -> None:
    options = parse_options(__doc__.splitlines()[0])
    keep_freed_memory()
    n_shoppers = 200 if options.quick else N_SHOPPERS
    ppo, seconds = trained(100_000 if options.quick else FRAMES)
    worlds = (SCENARIO, *(f"{SCENARIO}~{seed}" for seed in PERTURBATIONS))
    rows: list[Row] = []
    for name in worlds[:2] if options.quick else worlds:
        rows += world_rows(name, ppo, n_shoppers, (SHIPPED,))
    tables = [
        Table(
            f"gain a shopper, {n_shoppers:,} shoppers, {load_world(SCENARIO).horizon_days} days",
            ("world", "policy", "over nothing", "low", "high", "PPO over it", "low", "high"),
            [tuple(asdict(row).values()) for row in rows],
        ),
        Table("training", ("", "CPU s"), [(f"PPO, {FRAMES:,} days", round(seconds, 1))]),
    ]
    numbers: dict[str, Any] = {"rows": [asdict(row) for row in rows], "cpu_seconds": seconds}
    publish("ppo-shoppers", tables, numbers, options)


if __name__ == "__main__":
    main()
