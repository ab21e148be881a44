"""Do segments and behaviour help the policy, or do they hurt it while it knows little?

    python -m benchmarks.context [--data DIR] [--json FILE] [--quick]

Where it stands: the demo's replay (a year of real baskets through a real server), once for each
configuration and run. Segments are fitted after 1 % of the baskets, and again each quarter of
them. Runs differ in the service's own draws; baskets, and so the outcomes, are the same, and each
configuration is compared basket by basket with the one without segments.
"""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from api.cli.demo.client import Client
from api.cli.demo.configuration import render_configuration
from api.cli.demo.connection import run_loop
from api.cli.demo.replay import CHUNK, replay
from api.cli.demo.server import free_port, running, serve_command
from api.cli.demo.session import World, read_world
from benchmarks.report import Table, parse_options, publish
from segments.behaviour.reading import BEHAVIOURS
from simulator.replay.intervals import clustered_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from api.cli.demo.replay import Replayed
    from benchmarks.report import Cell
    from simulator.replay.baskets import Baskets

N_HOUSEHOLDS, QUICK_HOUSEHOLDS = 300, 40
N_RUNS, QUICK_RUNS = 2, 1
REFITS: Final = (0.01, 0.25, 0.5, 0.75)
WITHOUT: Final = "without segments"
TIERS: Final = 'family = "value-tiers"\n'
VARIANTS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    WITHOUT: (TIERS, ()),
    "k-means, 6": ('family = "kmeans"\nn_segments = 6\n', ()),
    "value tiers": (TIERS, ()),
    "behaviour alone": (TIERS, BEHAVIOURS),
    "value tiers and behaviour": (TIERS, BEHAVIOURS),
}
"""`[segments]` and the placement's `behaviour`, by name."""
UNFITTED: Final = (WITHOUT, "behaviour alone")


def main() -> None:
    options = parse_options(__doc__.splitlines()[0] if __doc__ else "")
    n_households = QUICK_HOUSEHOLDS if options.quick else N_HOUSEHOLDS
    world = read_world(n_households, options.data)
    n_runs = QUICK_RUNS if options.quick else N_RUNS
    hits = {name: _hits(world, name, n_runs) for name in VARIANTS}
    base = hits[WITHOUT]
    rows = [_row(name, own, base, world.baskets) for name, own in hits.items()]
    heads = ("context", "first tenth", "less without", "all", "less without")
    title = f"Hit rate, {n_households} households, mean of {n_runs} runs"
    numbers = {name: _numbers(own, base, world.baskets) for name, own in hits.items()}
    publish("context", [Table(title, heads, rows)], numbers, options)


def _hits(world: World, name: str, n_runs: int) -> npt.NDArray[np.float64]:
    """Share of the runs in which each basket held the tile that it was shown."""
    index = {tile: place for place, tile in enumerate(world.tiles)}
    total = np.zeros(len(world.baskets))
    for _ in range(n_runs):
        shown = np.array([index[tile] for tile in _run(world, name).tiles])
        total += world.outcomes[np.arange(len(shown)), shown]
    return total / n_runs


def _run(world: World, name: str) -> Replayed:
    segments, behaviour = VARIANTS[name]
    folder, port = Path(tempfile.mkdtemp(prefix="segue-context-")), free_port()
    text = render_configuration(world.tiles, port)
    text = text.replace("n_segments = 6\n", segments, 1)
    listed = ", ".join(f'"{one}"' for one in behaviour)
    text = text.replace("[placements.policy]", f"behaviour = [{listed}]\n\n[placements.policy]", 1)
    configuration = folder / "segue.toml"
    configuration.write_text(text, encoding="utf-8")
    with running(serve_command(configuration), port, folder / "server.log"):
        return run_loop(_replayed(port, world.baskets, () if name in UNFITTED else REFITS))


async def _replayed(port: int, baskets: Baskets, refits: Sequence[float]) -> Replayed:
    client = await Client.open("127.0.0.1", port, CHUNK)
    try:
        return await replay(client, baskets, lambda n: None, refits)
    finally:
        client.close()


def _parts(baskets: Baskets) -> dict[str, npt.NDArray[np.bool_]]:
    first, last = baskets.timestamps[0], baskets.timestamps[-1]
    early = np.asarray(baskets.timestamps <= first + (last - first) // 10)
    return {"first tenth": early, "all": np.ones(len(baskets), np.bool_)}


def _row(
    name: str,
    own: npt.NDArray[np.float64],
    base: npt.NDArray[np.float64],
    baskets: Baskets,
) -> list[Cell]:
    cells: list[Cell] = [name]
    for part in _parts(baskets).values():
        apart = clustered_mean((own - base)[part], baskets.households[part])
        cells.append(float(own[part].mean()))
        told = f"{apart.value:+.4f} [{apart.low:+.4f}, {apart.high:+.4f}]"
        cells.append(None if name == WITHOUT else told)
    return cells


def _numbers(
    own: npt.NDArray[np.float64], base: npt.NDArray[np.float64], baskets: Baskets
) -> dict[str, Any]:
    return {
        part: {
            "rate": asdict(clustered_mean(own[mask], baskets.households[mask])),
            "less_without": asdict(clustered_mean((own - base)[mask], baskets.households[mask])),
        }
        for part, mask in _parts(baskets).items()
    }


if __name__ == "__main__":
    main()
