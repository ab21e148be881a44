"""Environment steps per second, in numpy and compiled, beside gymnasium's CartPole and RecoGym.

Where it stands: `python -m benchmarks.simulator [--json FILE] [--quick]`. A step is one shopper's
day with all mechanisms on. Two figures each: steps per second of wall time, best of several
rounds, and per CPU second of this process, which does not change when the machine is shared.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import importlib.util  # threads are counted when numpy loads
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np

import simulator.registration  # noqa: F401  # registers the ids
from benchmarks.report import Table, parse_options, publish
from simulator.dynamics import step
from simulator.dynamics.draws import shopper_keys
from simulator.dynamics.memory import keep_freed_memory
from simulator.dynamics.shopper import buffers_for, newborn
from simulator.errors import MissingExtra
from simulator.scenarios.scenario import load_world
from simulator.vector_env import ShopperVectorEnv

if TYPE_CHECKING:
    from collections.abc import Callable

N_SHOPPERS = 4_096
N_ROUNDS = 7
WORLD = load_world("steady")


@dataclass(slots=True)
class Row:
    """One way to step; None was not measured."""

    name: str
    steps_per_second: float | None = None
    steps_per_cpu_second: float | None = None


def measure(name: str, run: Callable[[], int], n_rounds: int) -> Row:
    """The best of some rounds: other work on the machine only ever takes time."""
    run()
    wall, cpu = [], []
    for _ in range(n_rounds):
        start, busy = time.perf_counter(), time.process_time()
        n_steps = run()
        wall.append(n_steps / (time.perf_counter() - start))
        cpu.append(n_steps / (time.process_time() - busy))
    return Row(name, max(wall), max(cpu))


def dynamics(advance: Any, n_days: int) -> Callable[[], int]:
    """The bare step under random actions, from newborn shoppers."""
    shoppers, rng = np.arange(N_SHOPPERS), np.random.default_rng(0)
    keys, traits = shopper_keys(0, shoppers), WORLD.population.traits(0, shoppers)
    actions = rng.integers(0, WORLD.n_actions, (n_days, N_SHOPPERS))

    def run() -> int:
        state = newborn(N_SHOPPERS)
        buffers = buffers_for(state)
        for day in range(n_days):
            advance(WORLD, traits, state, actions[day], keys, buffers)
        return n_days * N_SHOPPERS

    return run


def vector(envs: Any, n_days: int, action: int = 0) -> Callable[[], int]:
    """A vector environment with its observations, masks and autoreset, one action."""
    actions = np.full(envs.num_envs, action)

    def run() -> int:
        envs.reset(seed=0)
        for _ in range(n_days):
            envs.step(actions)
        return n_days * int(envs.num_envs)

    return run


def single(env: Any, n_days: int) -> Callable[[], int]:
    """One environment, stepped and reset."""

    def run() -> int:
        env.reset(seed=0)
        for _ in range(n_days):
            _, _, terminated, truncated, _ = env.step(0)
            if terminated or truncated:
                env.reset()
        return n_days

    return run


def compiled_rows(n_days: int, n_rounds: int) -> list[Row]:
    """The compiled step on one and two threads, or a row that says what is missing."""
    try:
        from simulator.dynamics import compiled  # noqa: PLC0415  # numba is optional
    except MissingExtra as missing:
        return [Row(f"compiled: {missing}")]
    rows = []
    for n_threads in (1, 2):
        compiled.use_threads(min(n_threads, os.cpu_count() or 1))
        name = f"dynamics, compiled, threads: {n_threads}"
        rows.append(measure(name, dynamics(compiled.advance, n_days), n_rounds))
    return rows


def peers(n_days: int, n_rounds: int) -> list[Row]:
    """What others take for a step."""
    cart = gymnasium.make_vec("CartPole-v1", N_SHOPPERS, vectorization_mode="vector_entry_point")
    rows = [
        measure("gymnasium CartPoleVectorEnv", vector(cart, n_days), n_rounds),
        measure("gymnasium CartPole-v1", single(gymnasium.make("CartPole-v1"), 2_000), n_rounds),
    ]
    if importlib.util.find_spec("recogym") is None:
        rows.append(Row("RecoGym 0.1.3: not installed (pip install recogym, Python 3.7)"))
    return rows


def main() -> None:
    options = parse_options(__doc__.splitlines()[0])
    n_days, n_rounds = (10, 2) if options.quick else (50, N_ROUNDS)
    rows = [measure("dynamics, numpy", dynamics(step.advance, n_days), n_rounds)]
    if keep_freed_memory():
        name = "dynamics, numpy, freed memory kept"
        rows.append(measure(name, dynamics(step.advance, n_days), n_rounds))
    rows += [
        *compiled_rows(n_days, n_rounds),
    ]
    for observe in ("oracle", "features"):
        envs = ShopperVectorEnv(N_SHOPPERS, world=WORLD, observe=observe)  # type: ignore[arg-type]
        rows.append(measure(f"ShopperVectorEnv, {observe}", vector(envs, n_days), n_rounds))
    env = gymnasium.make("segue/Shopper-v0", world=WORLD, disable_env_checker=True)
    rows.append(measure("gymnasium.make, one shopper", single(env, 100 * n_days), n_rounds))
    try:
        env = gymnasium.make(
            "segue/Shopper-v0", world=WORLD, disable_env_checker=True, compiled=True
        )
        rows.append(measure("the same, compiled", single(env, 500 * n_days), n_rounds))
    except MissingExtra as missing:
        rows.append(Row(f"the same, compiled: {missing}"))
    rows += peers(n_days, n_rounds)
    table = Table(
        f"steps per second, {N_SHOPPERS:,} shoppers at once where not said otherwise",
        ("", "per second", "per CPU second"),
        [(row.name, row.steps_per_second, row.steps_per_cpu_second) for row in rows],
    )
    numbers = {"n_shoppers": N_SHOPPERS, "rows": [asdict(row) for row in rows]}
    publish("simulator", [table], numbers, options)


if __name__ == "__main__":
    main()
