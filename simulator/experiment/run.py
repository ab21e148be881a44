"""Every cell of an experiment, wherever it is computed, resumable.

One file a cell, written whole or not at all: what was computed before a kill is not computed again.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from policy.model_file import dump, load
from simulator.crowd import Crowd
from simulator.dynamics.memory import keep_freed_memory
from simulator.errors import WorldError
from simulator.experiment.deciders import make_decider
from simulator.experiment.life import Lives, live_through
from simulator.scenarios.scenario import load_world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from simulator.dynamics.world import World

    MapCells: TypeAlias = Callable[[Callable[["Cell"], bytes], Iterable["Cell"]], Iterable[bytes]]

CELL_KIND = "experiment-cell"


@dataclass(frozen=True, slots=True)
class Cell:
    """One policy in one world under one seed."""

    policy: str
    scenario: str
    seed: int
    n_shoppers: int
    horizon_days: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be compared.

    Args:
        policies: Words of ``simulator.experiment.deciders``; the first is the baseline.
        scenarios: Names or paths of worlds.
        seeds: Each a fresh set of twins.
        n_shoppers: In each cell.
        horizon_days: Instead of the worlds' own.

    Raises:
        WorldError: Nothing to compare, or something twice.
    """

    policies: tuple[str, ...]
    scenarios: tuple[str, ...]
    seeds: tuple[int, ...] = (0, 1, 2)
    n_shoppers: int = 1_000
    horizon_days: int | None = None

    def __post_init__(self) -> None:
        for name in ("policies", "scenarios", "seeds"):
            values = getattr(self, name)
            if not values or len(set(values)) != len(values):
                raise WorldError(name, values, "must be at least one, each once")
        if not 2 <= self.n_shoppers <= 10**7:
            raise WorldError("n_shoppers", self.n_shoppers, "must be from 2 to 10,000,000")

    def cells(self) -> list[Cell]:
        """All of them, the cheapest way to fail first: every policy of a scenario in turn."""
        return [
            Cell(policy, scenario, seed, self.n_shoppers, self.horizon_days)
            for seed in self.seeds
            for scenario in self.scenarios
            for policy in self.policies
        ]


def run(
    plan: Plan,
    folder: Path,
    *,
    map_cells: MapCells = map,
    on_cell: Callable[[Cell], None] | None = None,
) -> dict[Cell, Lives]:
    """The results of all cells; those that ``folder`` holds already are read, not computed.

    Args:
        plan: What is to be compared.
        folder: Where cells are kept; made if it is not there.
        map_cells: How a function is applied to every cell, results in order: ``map``, or what
            works on many at once.
        on_cell: Told of each cell that is done, for a progress bar.

    Raises:
        WorldError: A policy or a scenario that cannot be used; before anything is computed.
    """
    check(plan)
    folder.mkdir(parents=True, exist_ok=True)
    cells = plan.cells()
    missing = []
    for cell in cells:
        if _path(folder, cell).exists():
            if on_cell is not None:
                on_cell(cell)
        else:
            missing.append(cell)
    for cell, data in zip(missing, map_cells(compute, missing), strict=True):
        _keep(data, _path(folder, cell))
        if on_cell is not None:
            on_cell(cell)
    return {cell: read(folder, cell) for cell in cells}


def check(plan: Plan) -> None:
    """Nothing, where every policy fits every world."""
    for scenario in plan.scenarios:
        world = _world(scenario, plan.horizon_days)
        names = Crowd(world, 1).names
        for policy in plan.policies:
            make_decider(policy, names, tuple(action.id for action in world.actions), 0)


def compute(cell: Cell) -> bytes:
    """Lives one cell through.

    Returns:
        What is kept of it, as a file.
    """
    keep_freed_memory()
    world = _world(cell.scenario, cell.horizon_days)
    names = Crowd(world, 1).names
    ids = tuple(action.id for action in world.actions)
    decider = make_decider(cell.policy, names, ids, cell.seed)
    lives = live_through(world, decider, cell.n_shoppers, seed=cell.seed)
    arrays = {
        "returns_cents": lives.returns_cents,
        "daily_cents": lives.daily_cents,
        "action_counts": lives.action_counts,
        "numbers": np.array(
            [lives.stayed, lives.subscribed, lives.fatigue, lives.reference, lives.seconds]
        ),
    }
    return dump({"kind": CELL_KIND, "schema": 1, "cell": json.dumps(asdict(cell))}, arrays)


def _keep(data: bytes, path: Path) -> None:
    beside = path.with_suffix(".new")
    beside.write_bytes(data)
    beside.replace(path)


def read(folder: Path, cell: Cell) -> Lives:
    """A cell that was computed before."""
    _, arrays = load(_path(folder, cell).read_bytes())
    return Lives(
        arrays["returns_cents"],
        arrays["daily_cents"],
        arrays["action_counts"],
        *(float(number) for number in arrays["numbers"]),
    )


def _world(scenario: str, horizon_days: int | None) -> World:
    world = load_world(scenario)
    return world if horizon_days is None else replace(world, horizon_days=horizon_days)


def _path(folder: Path, cell: Cell) -> Path:
    """Named by everything that the cell depends on, the contents of its files included."""
    parts: dict[str, Any] = {
        **asdict(cell),
        "world": repr(_world(cell.scenario, cell.horizon_days)),
    }
    if cell.policy.endswith(".zip"):
        parts["model"] = hashlib.sha256(Path(cell.policy).read_bytes()).hexdigest()
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    return folder / f"{digest[:32]}.zip"
