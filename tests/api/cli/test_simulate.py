"""`segue simulate` against the real service."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from api.cli.main import app
from api.cli.simulate.client import Service, ServiceError
from api.cli.simulate.command import configuration_of
from api.cli.simulate.drive import Drive, message
from api.ingest.segment import parse_message
from segments.event import Event, Product
from simulator.dynamics.world import World
from simulator.events import morning
from simulator.footprint import FEATURES
from tests.api.service import running_service

if TYPE_CHECKING:
    from pathlib import Path

WORLD = World().without("churn")


def test_shoppers_visit_a_real_service_which_comes_to_see_what_they_are(tmp_path: Path) -> None:
    settings = tomllib.loads(configuration_of(WORLD, "shopper"))
    with running_service(tmp_path, settings) as client:
        drive = Drive(Service(str(client.base_url)), "shopper", WORLD, 12, n_threads=3)
        result = drive.run(15)
        assert (result.n_decisions, result.n_defaults) == (12 * 15, 0)
        assert result.n_events > 30
        for slot in range(12):
            drive._ask(slot, 15)  # the replay clock shows the morning of the next day
            known = client.get(f"/v1/visitors/shopper-{slot}").json()
            expected = dict(zip(FEATURES, drive.crowd.observation()[slot].tolist(), strict=True))
            assert known["features"] == pytest.approx(expected, abs=1e-5)
        drive.service.close()


def test_events_survive_the_wire() -> None:
    event = Event(
        "m1", "Order Completed", "shopper-1", morning(3), channel="in-store", order_id="o",
        revenue_cents=1_234, discount_cents=56, currency="USD",
        products=(Product(category="category-2", price_cents=1_234),),
    )  # fmt: skip
    told = message(event, timed=True)
    again = parse_message(told, morning(4), trusts_clocks=True)
    for field in ("message_id", "name", "visitor", "timestamp", "channel", "order_id",
                  "revenue_cents", "discount_cents", "products"):  # fmt: skip
        assert getattr(again, field) == getattr(event, field), field


def test_what_cannot_be_reached_or_shown_is_said(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="must be such as http://localhost:8080"):
        Service("localhost:8080")
    done = CliRunner().invoke(app, ["simulate", "--to", "http://127.0.0.1:1", "--days", "1"])
    assert done.exit_code == 1
    assert "does not answer" in done.output
    settings = tomllib.loads(configuration_of(WORLD, "shopper"))
    settings["actions"].append({"id": "fax"})
    settings["placements"][0] |= {"actions": ["fax"], "default": "fax"}
    with running_service(tmp_path, settings) as client:
        service = Service(str(client.base_url))
        with pytest.raises(ServiceError, match=r"'fax', which shoppers .* do not know"):
            Drive(service, "shopper", WORLD, 2).run(1)
        with pytest.raises(ServiceError, match="POST /v1/decisions: 404"):
            Drive(service, "nowhere", WORLD, 2).run(1)
