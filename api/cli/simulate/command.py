"""`segue simulate`: simulated shoppers as visitors of a running service.

Where it stands: the typer application mounts `simulate`; `drive.py` does the work.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from api.cli.simulate.client import Service, ServiceError
from api.cli.simulate.drive import Drive, Driven
from simulator.dynamics.world import Action, World
from simulator.errors import SimulatorError
from simulator.scenarios.scenario import load_world

MESSAGES = ("email", "push")
"""Channels of the simulator that a visitor can leave; the service knows them by the same names."""


def simulate(  # noqa: PLR0913, PLR0917  # each is an option of the command
    to: Annotated[str, typer.Option(help="URL of the service.")] = "http://localhost:8080",
    scenario: Annotated[str, typer.Option(help="A shipped world, or a .toml file.")] = "steady",
    placement: Annotated[str, typer.Option(help="The placement that decides.")] = "shopper",
    shoppers: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many.")] = 200,
    days: Annotated[int, typer.Option(min=1, max=36_400, help="How long.")] = 30,
    seed: Annotated[int, typer.Option(min=0, help="Of the shoppers' luck.")] = 0,
    key: Annotated[
        str | None, typer.Option(envvar="SEGUE_KEY", help="API key, where the service has any.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, max=256, help="Requests in flight.")] = 8,
    wall_clock: Annotated[
        bool, typer.Option(help="Send no timestamps: the service runs on today's clock.")
    ] = False,
    write_config: Annotated[
        Path | None,
        typer.Option(help="Only write a segue.toml whose placement fits the scenario."),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(help="For --write-config: let this model of `segue train` decide."),
    ] = None,
) -> None:
    """Let simulated shoppers visit a running service, and report what it earned."""
    console = Console()
    try:
        world = load_world(scenario)
        if write_config is not None:
            text = configuration_of(world, placement, model and model.absolute())
            write_config.write_text(text, encoding="utf-8")
            console.print(f"wrote {write_config}", highlight=False)
            return
        world = replace(world, horizon_days=max(days, world.horizon_days))
        drive = Drive(
            Service(to, key), placement, world, shoppers,
            seed=seed, replay=not wall_clock, n_threads=threads,
        )  # fmt: skip
        with Progress(console=console) as progress:
            task = progress.add_task("days", total=days)
            result = drive.run(days, lambda _: progress.advance(task))
        console.print(summary_of(result), highlight=False)
    except (ServiceError, SimulatorError, OSError) as error:
        Console(stderr=True).print(
            f"segue simulate: {error}", style="red", markup=False, soft_wrap=True
        )
        raise typer.Exit(1) from error


def configuration_of(world: World, placement: str, model: Path | None = None) -> str:
    """A `segue.toml` whose placement shows the world's actions on the simulated clock.

    Messages have their channels, so that whoever unsubscribes is not written to any more.
    """
    ids = [action.id for action in world.actions]
    head = [
        f"# Written by `segue simulate` for the scenario {json.dumps(world.name)}.",
        "[service]",
        'clock = "replay"            # the time is that of the simulated days',
        "\n[consent]",
        'unknown = "granted"         # shoppers are written to until they unsubscribe',
    ]
    place = [
        f"\n[[placements]]\nname = {json.dumps(placement)}",
        f"actions = {json.dumps(ids)}",
        f"default = {json.dumps(ids[0])}",
        "\n[placements.reward]",
        'event = "Product Reviewed"  # shoppers write none: rewards are reported to the decision',
        'aggregation = "sum"',
    ]
    if model is not None:
        served = f'kind = "ppo"\nmodel = {json.dumps(str(model))}'
        place += ["\n[placements.policy]", served]
    return "\n".join([*head, *map(_action, world.actions), *place]) + "\n"


def _action(action: Action) -> str:
    text = f"\n[[actions]]\nid = {json.dumps(action.id)}"
    if action.channel in MESSAGES:
        text += f'\nkind = "message"\nchannel = {json.dumps(action.channel)}'
    return text


def summary_of(result: Driven) -> str:
    """The result in words."""
    return (
        f"{result.n_decisions:,} decisions ({result.n_defaults:,} defaults, "
        f"{result.n_unreached:,} to a channel that was left), {result.n_events:,} events in "
        f"{result.seconds:.1f} s; a decision took {result.p50_ms:.1f} ms (p99 "
        f"{result.p99_ms:.1f} ms). Earned {result.reward:,.2f} a shopper; {result.stayed:.1%} "
        "of the shoppers stayed."
    )
