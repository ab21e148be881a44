"""One run of the demo: read the data, start the server, replay, report.

Where it stands: below the command, above the replay and the results.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from api.cli.demo.client import Call, Client
from api.cli.demo.configuration import render_configuration
from api.cli.demo.connection import run_loop
from api.cli.demo.printing import print_input, print_next_steps, print_report
from api.cli.demo.replay import CHUNK, Replayed, learned, replay, visitor_of
from api.cli.demo.results import (
    Books,
    Report,
    describe_segments,
    measure_speed,
    most_active,
    score_policies,
)
from api.cli.demo.server import running, serve_command
from simulator.replay.baskets import Baskets, ReplayError
from simulator.replay.completejourney import default_directory, load

N_TILES = 20
NO_TILES = ("COUPON/MISC ITEMS",)
"""Not a category to feature: coupons, fuel and whatever else has no shelf."""
SEED = 2017
"""Draws the sample of households."""


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """What is replayed: the baskets, the tiles, and what each tile would have earned."""

    baskets: Baskets
    tiles: tuple[str, ...]
    outcomes: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """What the service said at the end of the replay."""

    replayed: Replayed
    segments: list[dict[str, Any]]
    segment_of: dict[int, str | None]
    policy: dict[str, Any]


def run(console: Console, n_households: int | None, data: Path | None, port: int) -> Report:
    """Replay a sample of households and print the report.

    Raises:
        ReplayError: The data cannot be read.
        DemoError: The service does not start, or refuses something.
    """
    world = read_world(n_households, data)
    n_known = len(np.unique(world.baskets.households))
    print_input(console, world.baskets.counts, len(world.baskets), n_known)
    directory = Path(tempfile.mkdtemp(prefix="segue-demo-"))
    configuration = directory / "segue.toml"
    configuration.write_text(render_configuration(world.tiles, port), encoding="utf-8")
    console.print(
        f"Configuration, database and server log: {directory}", highlight=False, soft_wrap=True
    )
    with running(serve_command(configuration), port, directory / "server.log"):
        told = drive(console, port, world.baskets)
    report = make_report(world, told, directory / "segue.db")
    print_report(console, report)
    print_next_steps(console, configuration, port, visitor_of(most_active(world.baskets)))
    return report


def read_world(n_households: int | None, data: Path | None) -> World:
    """The baskets of a sample of households, and the tiles for them."""
    baskets = load(data or default_directory(), n_households, np.random.default_rng(SEED))
    tiles = baskets.most_bought(N_TILES, without=NO_TILES)
    if not tiles:
        raise ReplayError("no line of the data has a category that a tile could show")
    return World(baskets, tiles, baskets.outcomes(tiles))


def drive(console: Console, port: int, baskets: Baskets) -> Told:
    """Run the whole replay against a server that is ready, with a progress bar."""
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=console,
    ) as progress:  # fmt: skip
        task = progress.add_task("baskets", total=len(baskets))
        return run_loop(_drive(port, baskets, lambda n: progress.advance(task, n)))


async def _drive(port: int, baskets: Baskets, advance: Callable[[int], None]) -> Told:
    client = await Client.open("127.0.0.1", port, CHUNK)
    try:
        replayed = await replay(client, baskets, advance)
        return Told(
            replayed=replayed,
            segments=(await client.call("GET", "/v1/segments"))["segments"],
            segment_of=await _segment_of(client, np.unique(baskets.households).tolist()),
            policy=await learned(client),
        )
    finally:
        client.close()


async def _segment_of(client: Client, households: list[int]) -> dict[int, str | None]:
    calls = [Call("GET", f"/v1/visitors/{visitor_of(household)}") for household in households]
    answers = await client.call_all(calls)
    return {
        household: answer.body["segment"]
        for household, answer in zip(households, answers, strict=True)
    }


def make_report(world: World, told: Told, database: Path) -> Report:
    """Score what the service chose, and describe its segments."""
    index = {tile: place for place, tile in enumerate(world.tiles)}
    shown = np.array([index[tile] for tile in told.replayed.tiles])
    scores, difference = score_policies(world.baskets, world.outcomes, shown)
    return Report(
        n_households=scores[0].overall.n_clusters,
        n_baskets=len(world.baskets),
        lines=world.baskets.counts,
        tiles=world.tiles,
        scores=scores,
        difference=difference,
        any_tile=float(world.outcomes.any(axis=1).mean()),
        segments=describe_segments(
            told.segments, told.segment_of, world.baskets, world.outcomes, world.tiles
        ),
        speed=measure_speed(told.replayed),
        books=Books(
            client_hits=int(world.outcomes[np.arange(len(shown)), shown].sum()),
            service_hits=told.policy["reward_sum"],
            service_rewards=told.policy["n_rewarded"],
            defaults=told.replayed.n_defaults,
        ),
        policy_version=told.policy["version"],
        database=str(database),
    )
