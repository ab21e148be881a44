"""`segue`: serve, check, make keys, export and erase, run the demo, evaluate, lift, simulate."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from api.auth import key_hash, new_key
from api.cli.backup import backup_store, restore_store
from api.cli.calibrate import calibration
from api.cli.demo.command import demo
from api.cli.doctor.command import doctor
from api.cli.evaluate.command import evaluation
from api.cli.experiment import experiment
from api.cli.export import app as exports
from api.cli.failing import fail, settings_of
from api.cli.lift import lift_of_placement
from api.cli.policies.command import app as policies
from api.cli.replay import replay_decisions
from api.cli.segments.command import app as segments
from api.cli.simulate.command import simulate
from api.cli.train import train
from api.cli.visitors import app as visitors
from api.cli.webhooks import app as webhooks
from api.loop.placement import build_placements
from api.settings import ChallengerSettings, PlacementSettings, Scope, SettingsError
from policy.base import Policy
from policy.errors import PolicyError

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
keys = typer.Typer(no_args_is_help=True, help="API keys.")
app.add_typer(keys, name="keys")
app.add_typer(visitors, name="visitors")
app.add_typer(segments, name="segments")
app.add_typer(policies, name="policies")
app.add_typer(webhooks, name="webhooks")
app.add_typer(exports, name="export")
app.add_typer(train, name="train")
app.command("backup")(backup_store)
app.command("restore")(restore_store)
app.command("calibrate")(calibration)
app.command()(demo)
app.command()(doctor)
app.command("evaluate")(evaluation)
app.command()(experiment)
app.command("lift")(lift_of_placement)
app.command("replay")(replay_decisions)
app.command()(simulate)

console = Console()
ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]


@app.command()
def serve(
    config: ConfigOption = Path("segue.toml"),
    host: Annotated[str | None, typer.Option(help="Instead of service.host.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Instead of service.port.")
    ] = None,
) -> None:
    """Run the service."""
    from api.cli.serve import run  # noqa: PLC0415  # the other commands start without the server

    settings = settings_of(config)
    try:
        settings = settings.listening_on(host, port)
    except SettingsError as error:
        fail(str(error))
    run(settings)


@app.command()
def check(config: ConfigOption = Path("segue.toml")) -> None:
    """Explain what is wrong with a configuration, or what it sets up."""
    settings = settings_of(config)
    try:
        placements = build_placements(settings)
    except PolicyError as error:
        fail(f"{config}: {error}")
    service = settings.service
    typer.echo(
        f"listens on {service.host}:{service.port}, stores in {service.database} "
        f"({service.durability}), {service.clock} clock"
    )
    for placement in placements.values():
        earning = ", ".join(placement.reward.counted)
        console.print(
            f"placement [bold]{escape(placement.name)}[/]: {len(placement.choices.ids)} actions, "
            f"{_kind(placement.policy)}, {len(placement.contexts.names)} context features, "
            f"{len(placement.pairs.names)} shared features, reward from "
            f"{escape(earning)} within {placement.reward.window_minutes} minutes"
        )
    for one in settings.placements:
        if one.challenger is not None:
            console.print(f"  challenger of {escape(one.name)}: {_challenger(one.challenger, one)}")
    for way, named in (("from", settings.webhook_sources), ("to", settings.webhook_endpoints)):
        if named:
            typer.echo(f"webhooks {way} {', '.join(one.name for one in named)}")
    if not settings.placements:
        typer.echo("no [[placements]] yet: the service takes events in but decides nothing")
    if not settings.keys:
        typer.echo("no [[keys]]: whoever reaches the port may do everything (loopback only)")
    console.print(f"[green]{escape(str(config))} is fine[/]")


def _kind(policy: Policy) -> str:
    return policy.kind if policy.learns else f"{policy.kind} (does not learn)"


def _challenger(challenger: ChallengerSettings, placement: PlacementSettings) -> str:
    gate = "no gate: promote it or roll it back by hand"
    if placement.promotion is not None:
        acts = "acts by itself" if placement.promotion.automatic else "says what it would do"
        gate = f"a gate {acts}"
    return f"{challenger.kind} takes {challenger.share:.0%} of the decisions, {gate}"


@keys.command("new")
def new(
    name: Annotated[str, typer.Argument(help="Who will hold the key.")],
    scopes: Annotated[
        str,
        typer.Option(
            help="What it may do, comma-separated: decide, ingest, reward, read, privacy, admin."
        ),
    ] = "decide,reward,ingest",
) -> None:
    """Make a key: prints it once, and the block for `segue.toml`."""
    wanted = [scope.strip() for scope in scopes.split(",") if scope.strip()]
    known = Scope.__args__  # type: ignore[attr-defined]  # the members of a Literal
    wrong = [scope for scope in wanted if scope not in known]
    if wrong or not wanted:
        fail(f"scopes is {scopes!r}: each must be one of {', '.join(known)}")
    if not 0 < len(name) <= 200 or not name.isprintable():
        fail(f"name is {name!r:.80}: must be 1 to 200 printable characters")
    key = new_key()
    listed = ", ".join(f'"{scope}"' for scope in wanted)
    quoted = json.dumps(name, ensure_ascii=False)  # TOML writes printable text as JSON does
    console.print("The key, shown only now:\n")
    typer.echo(key)
    console.print("\nFor segue.toml:\n")
    typer.echo(f'[[keys]]\nname = {quoted}\nsha256 = "{key_hash(key)}"\nscopes = [{listed}]')


if __name__ == "__main__":
    app()
