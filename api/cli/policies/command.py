"""`segue policies`: what decides at a placement, what is tried, and how it came so."""

import base64
import tomllib
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console

from api.cli.failing import fail, settings_of
from api.cli.policies.printing import print_estimate, print_policies, print_steps
from api.cli.remote import UrlOption, alone, asked, fetched
from api.schemas.policies import (
    AddPolicyRequest,
    AuditResponse,
    EstimateResponse,
    MixRequest,
    PlacementPoliciesResponse,
    StepRequest,
)

if TYPE_CHECKING:
    from api.loop.engine import Engine

COMMAND = "command"
"""Who is said to take steps of a store that no service runs on."""

app = typer.Typer(no_args_is_help=True, help="Champion and challengers of a placement.")
PlacementOption = Annotated[str, typer.Option(help="Name of the placement.")]
Policy = Annotated[str, typer.Argument(help="Name, for its latest version, or name@version.")]
ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="Names the store.")]
ReasonOption = Annotated[str | None, typer.Option(help="For the audit.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead.")]
CONFIG = Path("segue.toml")


@app.command("list")
def list_policies(
    placement: PlacementOption,
    config: ConfigOption = CONFIG,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Each policy with its role, and what the gate has seen of the one on trial."""

    async def work(engine: "Engine") -> PlacementPoliciesResponse:
        from api.routes.policies import listed  # noqa: PLC0415  # see `alone`

        return await listed(engine, placement)

    if url is None:
        found = alone(settings_of(config), work)
    else:
        answer = asked("GET", _at(url, placement))
        found = PlacementPoliciesResponse.model_validate_json(answer)
    _print(found, as_json)


@app.command()
def add(
    placement: PlacementOption,
    name: Annotated[str, typer.Argument(help="One that is there gets another version.")],
    file: Annotated[Path, typer.Argument(help="A .toml with kind and parameters, or a .zip.")],
    config: ConfigOption = CONFIG,
    url: UrlOption = None,
    reason: ReasonOption = None,
) -> None:
    """Keep a policy, which does nothing yet."""
    body = _addition(name, file, reason)

    async def work(engine: "Engine") -> PlacementPoliciesResponse:
        from api.routes.policies import added  # noqa: PLC0415  # see `alone`

        return await added(engine, placement, body, COMMAND)

    if url is None:
        found = alone(settings_of(config), work)
    else:
        answer = asked("POST", _at(url, placement), body.model_dump_json())
        found = PlacementPoliciesResponse.model_validate_json(answer)
    _print(found)


@app.command()
def shadow(
    placement: PlacementOption,
    policy: Policy,
    config: ConfigOption = CONFIG,
    url: UrlOption = None,
    reason: ReasonOption = None,
) -> None:
    """Ask a policy at every decision from now on, and do not follow it."""
    _change(placement, policy, "shadow", StepRequest(reason=reason), config, url)


@app.command()
def mix(
    placement: PlacementOption,
    policy: Policy,
    share: Annotated[float, typer.Option(help="Of the decisions, above 0 and below 1.")],
    config: ConfigOption = CONFIG,
    url: UrlOption = None,
    reason: ReasonOption = None,
) -> None:
    """Give a policy a share of the decisions."""
    try:
        body = MixRequest(share=share, reason=reason)
    except ValidationError:
        fail(f"--share is {share}: must be above 0 and below 1")
    _change(placement, policy, "mix", body, config, url)


@app.command()
def promote(
    placement: PlacementOption,
    policy: Policy,
    config: ConfigOption = CONFIG,
    url: UrlOption = None,
    reason: ReasonOption = None,
) -> None:
    """Make a policy the champion, at once and without a pause."""
    _change(placement, policy, "promote", StepRequest(reason=reason), config, url)


@app.command()
def rollback(
    placement: PlacementOption,
    policy: Policy,
    config: ConfigOption = CONFIG,
    url: UrlOption = None,
    reason: ReasonOption = None,
) -> None:
    """End a trial or a shadow; of a champion, bring back the one before."""
    _change(placement, policy, "rollback", StepRequest(reason=reason), config, url)


@app.command()
def judge(
    placement: PlacementOption,
    policy: Policy,
    config: ConfigOption = CONFIG,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """What a policy would have earned, from what was logged of it, be it in shadow or mixture."""

    async def work(engine: "Engine") -> EstimateResponse:
        from api.routes.policies import estimated  # noqa: PLC0415  # see `alone`

        return await estimated(engine, placement, policy)

    if url is None:
        found = alone(settings_of(config), work)
    else:
        answer = asked("GET", _at(url, placement, policy, "estimate"))
        found = EstimateResponse.model_validate_json(answer)
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
    else:
        print_estimate(Console(), found)


@app.command()
def export(
    placement: PlacementOption,
    policy: Policy,
    file: Annotated[Path, typer.Argument(help="Where to write it, a .zip.")],
    config: ConfigOption = CONFIG,
    url: UrlOption = None,
) -> None:
    """Write a policy with what it has learned to a model file, which can be added elsewhere."""

    async def work(engine: "Engine") -> bytes:
        from api.routes.policies import exported  # noqa: PLC0415  # see `alone`

        return await exported(engine, placement, policy)

    if url is None:
        data = alone(settings_of(config), work)
    else:
        data = fetched("GET", _at(url, placement, policy, "model"))
    try:
        file.write_bytes(data)
    except OSError as error:
        fail(f"{file}: cannot be written: {error.strerror}")
    typer.echo(f"{file}: {len(data):,} bytes")


@app.command()
def audit(
    placement: PlacementOption,
    config: ConfigOption = CONFIG,
    url: UrlOption = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Steps to show.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Every step, the last one first: what, by whom, why, and on which evidence."""

    async def work(engine: "Engine") -> AuditResponse:
        from api.routes.policies import audited  # noqa: PLC0415  # see `alone`

        return await audited(engine, placement, limit)

    if url is None:
        found = alone(settings_of(config), work)
    else:
        answer = asked("GET", f"{_at(url, placement)}/audit?limit={limit}")
        found = AuditResponse.model_validate_json(answer)
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
    else:
        print_steps(Console(), found)


def _change(
    placement: str, policy: str, what: str, body: StepRequest, config: Path, url: str | None
) -> None:
    async def work(engine: "Engine") -> PlacementPoliciesResponse:
        from api.routes.policies import changed  # noqa: PLC0415  # see `alone`

        return await changed(engine, placement, what, policy, body, COMMAND)

    if url is None:
        found = alone(settings_of(config), work)
    else:
        answer = asked("POST", f"{_at(url, placement, policy, what)}", body.model_dump_json())
        found = PlacementPoliciesResponse.model_validate_json(answer)
    _print(found)


def _addition(name: str, file: Path, reason: str | None) -> AddPolicyRequest:
    """What a file says of a policy."""
    if file.suffix not in (".toml", ".zip"):
        fail(f"{file}: must be a .toml with kind and parameters, or a model file, .zip")
    try:
        said: dict[str, Any] = {"name": name, "reason": reason}
        if file.suffix == ".zip":
            said["model"] = base64.b64encode(file.read_bytes())
        else:
            said["parameters"] = tomllib.loads(file.read_text(encoding="utf-8"))
            said["kind"] = said["parameters"].pop("kind", None)
        return AddPolicyRequest.model_validate(said)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        fail(f"{file}: cannot be read: {error}")
    except ValidationError as error:
        fault = error.errors()[0]
        fail(f"{'.'.join(map(str, fault['loc'])) or file}: {fault['msg']}")


def _at(url: str, *parts: str) -> str:
    placement, *rest = (urllib.parse.quote(part, safe="@") for part in parts)
    return "/".join([f"{url.rstrip('/')}/v1/placements/{placement}/policies", *rest])


def _print(found: PlacementPoliciesResponse, as_json: bool = False) -> None:
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
    else:
        print_policies(Console(), found)
