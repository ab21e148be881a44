"""`segue lift`: on the log of a real engine, and on a log of known visitors."""

import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from api.cli.main import app
from api.schemas.decision import DecisionRequest
from api.storage.base import StoreError
from api.storage.control_log import read_groups, read_groups_by_segment
from api.storage.guardrail_log import read_guardrails
from policy.catalog.holdout import Holdout
from tests.api.loop.test_engine import run, settings
from tests.api.service import configuration, placement, write_configuration

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
DAY_US = 86_400_000_000


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """What eight decisions of a real engine at a placement with a holdout left."""
    made = settings(tmp_path, holdout={"share": 0.5, "salt": "test"})

    async def work(engine: Any) -> None:
        for visitor in "abcdefgh":
            request = DecisionRequest(visitor=visitor, placement="home", context={})
            answer = await engine.decider.decide(request)
            held = Holdout(0.5, "test").holds(visitor)
            assert answer["group"] == ("control" if held else "treatment")

    run(made, work)
    return tmp_path / "s.db"


def fill(store: Path, rng: np.random.Generator, n: int, gain: float, lost: float = 0.0) -> None:
    """Visitors with one decision each, a tenth of them held out; a share of those is lost."""
    with closing(sqlite3.connect(store)) as connection:
        for table in ("rewards", "decisions", "decisions_of_visitor"):
            connection.execute(f"DELETE FROM {table}")
        for number in range(n):
            is_control = rng.random() < 0.1
            if is_control and rng.random() < lost:
                continue
            at = number * DAY_US // n
            insert_decision(connection, f"v{number}", "control" if is_control else "treatment", at)
            earned = rng.exponential(1.0) + (0.0 if is_control else gain)
            insert_reward(connection, f"v{number}", at, earned)
        insert_decision(connection, "late", "treatment", 3 * DAY_US)
        connection.commit()


def insert_decision(connection: sqlite3.Connection, visitor: str, group: str, at: int) -> None:
    connection.execute(
        """INSERT INTO decisions (decision_id, visitor, placement, decided_at_us, closes_at_us,
               policy_version, action_id, chosen, probability, candidates, probabilities,
               visitor_group)
           VALUES (?, ?, 'home', ?, ?, 'p@0', 'tea', 0, 1.0, '["tea"]', x'', ?)""",
        (f"{visitor}-{at}", visitor, at, at, group),
    )


def insert_reward(connection: sqlite3.Connection, visitor: str, at: int, value: float) -> None:
    connection.execute(
        """INSERT INTO rewards (reward_id, decision_id, value, is_first, source, received_at_us)
           VALUES (?, ?, ?, 1, 'explicit', ?)""",
        (f"r{visitor}-{at}", f"{visitor}-{at}", value, at),
    )


def segue(store: Path, *arguments: object, share: float | None = 0.1) -> Result:
    held = {} if share is None else {"holdout": {"share": share}}
    service = {**configuration()["service"], "database": str(store)}
    made = configuration(service=service, placements=[placement(**held)])
    path = write_configuration(store.parent, made)
    return CliRunner().invoke(app, ["lift", "--config", str(path), *map(str, arguments)])


def test_the_groups_of_a_real_engine_are_read(store: Path) -> None:
    groups = read_groups(store, "home", DAY, HOUR)
    n_held = sum(Holdout(0.5, "test").holds(visitor) for visitor in "abcdefgh")
    assert (groups.n_control, groups.n_treated) == (n_held, 8 - n_held)
    assert (groups.control.n_visitors, groups.treated.n_visitors) == (0, 0)


def test_a_lift_is_found_with_its_size(store: Path, tmp_path: Path) -> None:
    fill(store, np.random.default_rng(1), 6_000, gain=0.5)
    data = tmp_path / "lift.json"
    result = segue(store, "--placement", "home", "--days", 1, "--json", data)
    assert result.exit_code == 0, result.output
    found = json.loads(data.read_text())
    assert found["interval"]["low"] < 0.5 < found["interval"]["high"]
    assert found["interval"]["low"] > 0.0
    assert found["relative"]["low"] > 0.0
    assert found["n_treated"] + found["n_control"] == 6_000
    assert not found["sample_ratio"]["is_off"]
    assert "do not believe" not in result.output


def test_a_control_group_that_loses_visitors_is_not_believed(store: Path) -> None:
    fill(store, np.random.default_rng(2), 12_000, gain=0.0, lost=0.3)
    result = segue(store, "--placement", "home", "--days", 1)
    assert result.exit_code == 0, result.output
    assert "do not believe the lift" in " ".join(result.output.split())


def test_what_a_visitor_earned_counts_within_its_days_and_once(store: Path) -> None:
    fill(store, np.random.default_rng(3), 0, gain=0.0)
    with closing(sqlite3.connect(store)) as connection:
        for visitor, group in (("ann", "treatment"), ("bob", "control"), ("both", "control")):
            for at, value in ((0, 1.0), (DAY_US // 2, 2.0), (2 * DAY_US, 4.0)):
                insert_decision(connection, visitor, group, at)
                insert_reward(connection, visitor, at, value)
        insert_decision(connection, "both", "treatment", DAY_US)
        for number in range(3):
            connection.execute(
                """INSERT INTO events (message_id, visitor, name, timestamp_us, received_at_us,
                       body) VALUES (?, 'ann', 'Product Viewed', ?, 0, '{}')""",
                (f"m{number}", number - 2),
            )
        connection.commit()
    groups = read_groups(store, "home", DAY, HOUR)
    assert groups.n_in_both == 1
    assert groups.treated.n_visitors == groups.control.n_visitors == 1
    assert groups.treated.means == pytest.approx([3.0, np.log(3.0)])
    assert groups.control.means.tolist() == [3.0, 0.0]
    assert groups.n_treated == 2  # with the one whose day has yet to pass
    later = read_groups(store, "home", 3 * DAY, HOUR)
    assert later.treated.n_visitors == 0


def test_each_segment_has_a_lift_of_its_own(store: Path, tmp_path: Path) -> None:
    """Only s1 gains; who is in which is told by the first decision, not by a later one."""
    fill(store, np.random.default_rng(4), 0, gain=0.0)
    rng = np.random.default_rng(5)
    with closing(sqlite3.connect(store)) as connection:
        for number in range(4_000):
            visitor, segment = f"v{number}", ("s1", "s2", None)[number % 3]
            held, gains = rng.random() < 0.3, segment == "s1"
            for at, said in ((0, segment), (10, "s9")):
                insert_decision(connection, visitor, "control" if held else "treatment", at)
                connection.execute(
                    "UPDATE decisions SET segment = ? WHERE decision_id = ?",
                    (said, f"{visitor}-{at}"),
                )
            earned = rng.exponential(1.0) + (1.0 if gains and not held else 0.0)
            insert_reward(connection, visitor, 0, earned)
        connection.commit()
    groups = dict(read_groups_by_segment(store, "home", DAY, HOUR))
    assert set(groups) == {"s1", "s2", None}
    assert sum(one.n_treated + one.n_control for one in groups.values()) == 4_001
    data = tmp_path / "lift.json"
    result = segue(store, "--placement", "home", "--days", 1, "--by", "segment", "--json", data)
    assert result.exit_code == 0, result.output
    parts = {one["segment"]: one["interval"] for one in json.loads(data.read_text())["segments"]}
    assert parts["s1"]["low"] > 0.0
    assert parts["s2"]["low"] < 0.0 < parts["s2"]["high"]
    assert parts["s1"]["level"] == pytest.approx(1.0 - 0.05 / 3)
    assert "by segment of the first decision" in " ".join(result.output.split())


def test_few_visitors_are_said_to_tell_nothing(store: Path) -> None:
    result = segue(store, "--placement", "home")
    assert result.exit_code == 0, result.output
    assert "at least 100 are needed" in " ".join(result.output.split())


def test_what_has_no_control_group_is_refused(store: Path, tmp_path: Path) -> None:
    assert "no [placements.holdout]" in segue(store, "--placement", "home", share=None).output
    assert "the configuration has home" in segue(store, "--placement", "cart").output
    with pytest.raises(StoreError, match="'cart' with a group"):
        read_groups(store, "cart", DAY, HOUR)
    with pytest.raises(StoreError, match="cannot be read as a store"):
        read_groups(tmp_path / "none.db", "home", DAY, HOUR)


def hurt(store: Path, rng: np.random.Generator, n: int, returned: tuple[float, float]) -> None:
    """Visitors of whom a share of each group, control first, sends back what it ordered."""
    fill(store, rng, 0, gain=0.0)
    with closing(sqlite3.connect(store)) as connection:
        for number in range(n):
            is_control, at, visitor = number % 4 == 0, number * DAY_US // n, f"v{number}"
            insert_decision(connection, visitor, "control" if is_control else "treatment", at)
            insert_reward(connection, visitor, at, 1.0)
            if rng.random() < returned[not is_control]:
                connection.execute(
                    """INSERT INTO rewards (reward_id, decision_id, value, is_first, source,
                           received_at_us) VALUES (?, ?, -1.0, 0, 'refund', ?)""",
                    (f"refund:{number}", f"{visitor}-{at}", at),
                )
            if number % 100 == 0:
                connection.execute(
                    """INSERT INTO events (message_id, visitor, name, timestamp_us, received_at_us,
                           body) VALUES (?, ?, 'Unsubscribed', ?, 0, '{}')""",
                    (f"u{number}", visitor, at + 1),
                )
        connection.commit()


def test_a_hurt_guardrail_is_said_and_others_are_not(store: Path, tmp_path: Path) -> None:
    hurt(store, np.random.default_rng(4), 8_000, (0.1, 0.2))
    data = tmp_path / "lift.json"
    asked = ("--guardrail", "returns=0.02", "--guardrail", "unsubscribes=0.5")
    result = segue(store, "--placement", "home", "--days", 1, "--json", data, *asked, share=0.25)
    assert result.exit_code == 0, result.output
    found = json.loads(data.read_text())["guardrails"]
    assert (found["returns"]["standing"], found["unsubscribes"]["standing"]) == ("hurt", "safe")
    assert found["returns"]["interval"]["low"] < 0.1 < found["returns"]["interval"]["high"]
    assert "hurt" in result.output


def test_the_margin_of_a_visitor_is_what_its_orders_left(tmp_path: Path) -> None:
    made = settings(tmp_path, holdout={"share": 0.5, "salt": "test"})
    held = {visitor: Holdout(0.5, "test").holds(visitor) for visitor in "abcdefgh"}

    async def work(engine: Any) -> None:
        for number, visitor in enumerate(held):
            ask = DecisionRequest(visitor=visitor, placement="home", context={})
            await engine.decider.decide(ask)
            product = {"product_id": "p", "category": "tea", "price": 10, "cost": 4}
            properties = {"order_id": visitor, "products": [product | {"category": c} for c in
                          ("tea", "salt", "beef")]}  # fmt: skip
            order = {"userId": visitor, "event": "Order Completed", "messageId": f"m{number}",
                     "properties": properties}  # fmt: skip
            await engine.intake.one(order, "track", body_bytes=100)

    run(made, work)
    with closing(sqlite3.connect(tmp_path / "s.db")) as connection:
        insert_decision(connection, "late", "treatment", 2**52)
        connection.commit()
    treated, control = read_guardrails(tmp_path / "s.db", "home", DAY, HOUR, ["margin"])
    assert (control["margin"].n_visitors, treated["margin"].n_visitors) == (
        sum(held.values()),
        8 - sum(held.values()),
    )
    assert treated["margin"].means[0] == control["margin"].means[0] == 18.0


@pytest.mark.parametrize("text", ["return=0.1", "returns", "returns=-1", "returns=x"])
def test_a_guardrail_that_is_none_is_refused(store: Path, text: str) -> None:
    result = segue(store, "--placement", "home", "--guardrail", text)
    assert result.exit_code == 2
    assert "--guardrail" in result.output or "tolerance" in result.output
