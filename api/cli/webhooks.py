"""`segue webhooks`: what endpoints were told, telling them again, and trying one out."""

import asyncio
import json
import os
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer

from api.cli.failing import fail, settings_of
from api.loop.clock import from_us
from api.storage.base import StoreError
from api.storage.outbox import Delivery
from api.storage.outbox_log import deliveries

KEY = "SEGUE_KEY"
SECONDS = 30.0
STATES = ("waiting", "delivered", "dead")

app = typer.Typer(no_args_is_help=True, help="Webhooks to endpoints: list, send again, try out.")
ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]


@app.command("list")
def list_(
    config: ConfigOption = Path("segue.toml"),
    status: Annotated[str | None, typer.Option(help="waiting, delivered or dead.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 50,
) -> None:
    """List the latest deliveries, also while the service runs."""
    if status is not None and status not in STATES:
        fail(f"status is {status!r:.80}: must be one of {', '.join(STATES)}")
    settings = settings_of(config)
    try:
        rows = deliveries(settings.service.database, status, limit)
    except StoreError as error:
        fail(str(error))
    for row in rows:
        moment = from_us(row.created_at_us).isoformat(timespec="seconds")
        tries = f"{row.tries} {'try' if row.tries == 1 else 'tries'}"
        told = (moment, row.message_id, row.endpoint, row.type, row.status, tries, row.error or "")
        typer.echo("  ".join(told).rstrip())
    if not rows:
        typer.echo("none")


@app.command()
def redeliver(
    url: Annotated[str, typer.Option(help=f"Of the running service, with a key in {KEY}.")],
    endpoint: Annotated[str | None, typer.Option(help="To this endpoint only.")] = None,
    message: Annotated[
        str | None, typer.Option(help="This message; all that are dead without it.")
    ] = None,
) -> None:
    """Send again what is dead, or one message."""
    if not url.startswith(("http://", "https://")):
        fail(f"url is {url!r:.80}: must begin with http:// or https://")
    headers = {
        "authorization": f"Bearer {os.environ.get(KEY, '')}",
        "content-type": "application/json",
    }
    body = json.dumps({"endpoint": endpoint, "message_id": message}).encode()
    path = f"{url.rstrip('/')}/v1/deliveries/redeliver"
    request = urllib.request.Request(path, body, headers)  # noqa: S310  # checked
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310  # checked
            told = json.load(answer)
    except urllib.error.HTTPError as error:
        fail(f"{error.code}: {error.read()[:500].decode(errors='replace')}")
    except OSError as error:
        fail(f"{url} does not answer: {error}")
    typer.echo(f"{told['redelivered']} deliveries are waiting again")


@app.command("test")
def try_out(
    endpoint: Annotated[str, typer.Argument(help="Name of one of [[webhook_endpoints]].")],
    config: ConfigOption = Path("segue.toml"),
) -> None:
    """Send an endpoint a signed message of type `webhook.test`, once."""
    from api.webhooks.endpoint import DeliveryError, Endpoint  # noqa: PLC0415  # TLS, only here

    known = {one.name: one for one in settings_of(config).webhook_endpoints}
    if endpoint not in known:
        fail(f"endpoint is {endpoint!r:.80}: the configuration has {', '.join(known) or 'none'}")
    now_s = int(time.time())
    moment = from_us(now_s * 1_000_000).isoformat()
    body = json.dumps({"type": "webhook.test", "timestamp": moment, "data": {}})
    delivery = Delivery(0, f"msg_{uuid4().hex}", endpoint, "webhook.test", body, 0)
    try:
        asyncio.run(Endpoint(known[endpoint]).send(delivery, now_s))
    except DeliveryError as error:
        fail(f"{endpoint} did not take it: {error}")
    typer.echo(f"{endpoint} took {delivery.message_id}")
