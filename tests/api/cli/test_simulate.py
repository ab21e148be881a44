"""`segue simulate` against the real service."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from typer.testing import CliRunner

from api.cli.main import app
from api.cli.simulate.client import Service, ServiceError
from api.cli.simulate.command import configuration_of
from api.cli.simulate.drive import Drive, message
from api.configuration import parse_settings
from api.ingest.segment import parse_message
from api.loop.placement import build_placements
from policy.ppo.network import untrained
from segments.event import Event, Product
from simulator.dynamics.world import World
from simulator.events import morning
from simulator.readings import FEATURES
from tests.api.service import running_service, stored

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
            if expected["known"] == 0.0:  # left alone by policy and luck so far
                assert known["status"] == 404
                continue
            assert known["features"] == pytest.approx(expected, abs=1e-5)
        drive.service.close()


def test_a_trained_model_decides_end_to_end(tmp_path: Path) -> None:
    """From the file to the log: features by name, and nobody is written to who unsubscribed."""
    ids = tuple(action.id for action in WORLD.actions)
    network = untrained(FEATURES, ids, np.random.default_rng(2))
    model = tmp_path / "model.zip"
    model.write_bytes(network.to_bytes())
    world = replace(WORLD, effects=WORLD.effects._replace(opt_out=1.0))
    settings = tomllib.loads(configuration_of(world, "shopper", model))
    with running_service(tmp_path, settings) as client:
        result = Drive(Service(str(client.base_url)), "shopper", world, 10, n_threads=3).run(12)
        assert (result.n_decisions, result.n_defaults, result.n_unreached) == (120, 0, 0)
        assert client.get("/v1/policies").json()["policies"][0]["kind"] == "ppo"
    assert stored(tmp_path, "SELECT count(*) FROM rewards") == [(120,)]
    rows = stored(tmp_path, "SELECT candidates, probabilities, context FROM decisions")
    names = build_placements(parse_settings(settings))["shopper"].contexts.names
    columns = [names.index(name) for name in FEATURES]
    offered = [tuple(json.loads(row[0])) for row in rows]
    assert any("email-news" not in one for one in offered)
    for one, (_, logged, context) in zip(offered, rows, strict=True):
        x = np.frombuffer(context, np.float32)[columns]
        mask = np.isin(ids, one)
        expected = 0.99 * network.probabilities(x, mask)[mask] + 0.01 / len(one)
        assert np.frombuffer(logged) == pytest.approx(expected, abs=1e-6)


def test_events_survive_the_wire() -> None:
    event = Event(
        "m1", "Order Completed", "shopper-1", morning(3), channel="in-store", order_id="o",
        revenue_cents=1_234, discount_cents=56, currency="USD",
        products=(Product(category="category-2", price_cents=1_234),), consent=(("push", False),),
    )  # fmt: skip
    told = message(event, timed=True)
    again = parse_message(told, morning(4), trusts_clocks=True)
    for field in ("message_id", "name", "visitor", "timestamp", "channel", "order_id",
                  "revenue_cents", "discount_cents", "products", "consent"):  # fmt: skip
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
