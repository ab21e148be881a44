"""The documentation is complete and its examples run."""

import contextlib
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from typer.main import get_command

from api.app import create_app
from api.cli.evaluate.grid import candidates_of
from api.cli.evaluate.policies import wanted
from api.cli.evaluate.source import Source, fields_of
from api.cli.main import app as cli
from api.configuration import parse_settings
from api.ingest.shopify import _TOPICS
from api.loop.placement import build_placements
from api.personalizer.settings import PersonalizerSettings
from api.promotion_settings import GuardrailSettings, PromotionSettings
from api.retention_settings import RetentionSettings
from api.reward_settings import RewardEventSettings
from api.rule_settings import (
    ConsentSettings,
    HoldoutSettings,
    LimitSettings,
    PriceRangeSettings,
    PriceSettings,
)
from api.segment_settings import CriteriaSettings, HandMadeSettings
from api.settings import (
    AbsenceSettings,
    ActionSettings,
    ChallengerSettings,
    EventSettings,
    KeySettings,
    PlacementSettings,
    PolicySettings,
    RewardSettings,
    SegmentSettings,
    ServiceSettings,
)
from api.storage.outbox import NOTICE_TYPES
from api.supply_settings import BudgetSettings, InventorySettings
from api.webhooks.settings import WebhookEndpointSettings, WebhookSourceSettings
from policy.bandits.build import POLICY_KINDS, policy_parameters
from policy.bandits.cats import NO_CHOOSERS
from policy.catalog.condition.parser import parse
from policy.catalog.eligibility import Reason
from policy.catalog.rulebook import ACTION_FIELDS
from policy.reward.expression import NAMES as EXPRESSION_NAMES
from policy.reward.spec import AGGREGATIONS
from segments.event import EVENT_NAMES
from segments.pipeline import Pipeline
from tests.api.service import running_service, stored
from tests.api.webhooks.senders import NEW, standard

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SECTIONS: dict[str, type[BaseModel]] = {
    "[service]": ServiceSettings,
    "[events]": EventSettings,
    "[segments]": SegmentSettings,
    "[segments.criteria]": CriteriaSettings,
    "[[segments.hand_made]]": HandMadeSettings,
    "[[segments.absences]]": AbsenceSettings,
    "[retention]": RetentionSettings,
    "[consent]": ConsentSettings,
    "[[limits]]": LimitSettings,
    "[[budgets]]": BudgetSettings,
    "[[inventories]]": InventorySettings,
    "[[keys]]": KeySettings,
    "[[webhook_sources]]": WebhookSourceSettings,
    "[[webhook_endpoints]]": WebhookEndpointSettings,
    "[personalizer]": PersonalizerSettings,
    "[[actions]]": ActionSettings,
    "[[placements]]": PlacementSettings,
    "[placements.policy]": PolicySettings,
    "[placements.challenger]": ChallengerSettings,
    "[placements.promotion]": PromotionSettings,
    "[[placements.promotion.guardrails]]": GuardrailSettings,
    "[placements.holdout]": HoldoutSettings,
    "[placements.price]": PriceSettings,
    "[placements.price_range]": PriceRangeSettings,
    "[placements.reward]": RewardSettings,
    "[[placements.reward.events]]": RewardEventSettings,
}


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def examples(name: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page(name), re.DOTALL)


@pytest.mark.parametrize("section", SECTIONS)
def test_every_setting_is_documented_in_its_section(section: str) -> None:
    text = page("docs/configuration.md").split(f"### `{section}`")[1].split("###")[0]
    for name in SECTIONS[section].model_fields:
        assert re.search(rf"^\| [^|]*`{name}`", text, re.MULTILINE), f"{section} lacks {name}"


def test_every_policy_and_its_parameters_are_documented() -> None:
    text = page("docs/configuration.md").split("### `[placements.policy]`")[1].split("###")[0]
    for kind in POLICY_KINDS:
        assert f"`{kind}`" in text
        assert f"`{kind}`" in page("docs/policies.md")
        for parameter in policy_parameters(kind):
            assert f"`{parameter}`" in text, f"{kind} has {parameter}"


def test_every_route_is_documented(tmp_path: Path) -> None:
    hot = create_app(parse_settings({"service": {"database": str(tmp_path / "s.db")}}))
    for path, methods in hot.app.openapi()["paths"].items():
        for method in methods:
            if method == "post" and path.split("/")[-1] in (
                "identify",
                "page",
                "screen",
                "group",
                "alias",
            ):
                assert f"`{path}`" in page("docs/http-api.md")
            else:
                assert f"`{method.upper()} {path}`" in page("docs/http-api.md")


def test_every_command_is_documented() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in PAGES)
    for name, command in get_command(cli).commands.items():
        for leaf in getattr(command, "commands", {"": None}):
            assert f"segue {name} {leaf}".strip() in text


def test_every_event_and_feature_is_documented() -> None:
    text = " ".join(page("docs/events.md").split())
    for name in EVENT_NAMES:
        assert name in text
    for name in Pipeline.feature_names:
        assert f"`{name}`" in text or (name.startswith("channel_") and "`channel_*_share`" in text)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_the_tests_that_a_page_names_exist(path: Path) -> None:
    for named in re.findall(r"`(tests/[^`]+)`", path.read_text(encoding="utf-8")):
        file, _, name = named.partition("::")
        assert (ROOT / file).exists(), named
        assert not name or f"def {name}(" in page(file), named


def test_the_example_of_rules_builds_its_placements() -> None:
    (example,) = examples("docs/rules.md", "toml")
    placements = build_placements(parse_settings(tomllib.loads(example)))
    assert {name: one.choices.screen is not None for name, one in placements.items()} == {
        "home": True,
        "price": True,
    }


def test_the_examples_of_promotion_are_a_policy_and_a_gate() -> None:
    policy, configured = examples("docs/promotion.md", "toml")
    assert PolicySettings(**tomllib.loads(policy)).kind == "lints"
    settings = parse_settings(tomllib.loads(configured))
    (home,) = settings.placements
    assert home.promotion is not None
    terms = home.promotion.terms((0.0, 1.0), 0.2)
    assert [one.name for one in terms.guardrails] == ["returns", "margin"]
    assert build_placements(settings)["home"].lineup.share == 0.2


def test_the_example_of_a_segment_made_by_hand_is_asked_for() -> None:
    example, *_ = examples("docs/segments.md", "toml")
    (placement,) = build_placements(parse_settings(tomllib.loads(example))).values()
    assert [str(field) for field in placement.rulebook.fields] == ["segments.lapsing", "segment"]


def test_the_example_of_rewards_is_one_and_its_terms_are_documented() -> None:
    (example,) = examples("docs/rewards.md", "toml")
    (placement,) = build_placements(parse_settings(tomllib.loads(example))).values()
    assert set(placement.reward.counted) == {"Order Completed", "Product Added", "Unsubscribed"}
    for name in (*EXPRESSION_NAMES, *AGGREGATIONS):
        assert f"`{name}`" in page("docs/rewards.md")


def test_the_example_of_a_price_range_draws_prices() -> None:
    (example,) = examples("docs/prices.md", "toml")
    pricing = build_placements(parse_settings(tomllib.loads(example)))["tea-price"].pricing
    assert pricing is not None
    assert pricing.prices == range(580, 1501, 10)  # 30 % are left from 571.43 on
    for kind in NO_CHOOSERS:
        assert f"`{kind}`" in page("docs/prices.md")


def test_the_example_of_webhooks_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SHOPIFY_SECRET", "SHOP_SECRET", "SHOP_SECRET_BEFORE", "CRM_SECRET"):
        monkeypatch.setenv(name, f"whsec_{'A' * 40}")
    incoming, outgoing = examples("docs/webhooks.md", "toml")
    sources = parse_settings(tomllib.loads(incoming)).webhook_sources
    assert {one.name: len(one.secrets) for one in sources} == {"shopify": 1, "shop": 2}
    (endpoint,) = parse_settings(tomllib.loads(outgoing)).webhook_endpoints
    assert endpoint.types == ("conversion.credited", "alert.raised")
    for name in (*NOTICE_TYPES, *_TOPICS):
        assert f"`{name}`" in page("docs/webhooks.md")


def test_the_example_of_a_receiver_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = examples("docs/webhooks.md", "python")
    found: dict[str, Any] = {"secret": NEW}
    exec(compile(block, "webhooks.md", "exec"), found)
    told = {"type": "conversion.credited", "data": {"decision_id": "d", "worth": 1.5}}
    body = json.dumps(told).encode()
    found["received"](body, standard(body))
    assert capsys.readouterr().out == "d 1.5\n"


def test_the_example_of_retention_is_one() -> None:
    (example,) = examples("docs/privacy.md", "toml")
    assert parse_settings(tomllib.loads(example)).retention.events_days == 400


def test_the_example_of_budgets_holds_back_what_there_is_no_money_for() -> None:
    (example,) = examples("docs/budgets.md", "toml")
    settings = parse_settings(tomllib.loads(example))
    assert [one.budget().kind for one in settings.budgets] == ["budget", "budget"]
    (tables,) = settings.inventories
    assert tables.inventory().held_back(0) == {}
    assert set(build_placements(settings)) == {"home"}


def test_every_reason_and_every_field_of_actions_is_documented() -> None:
    text = page("docs/rules.md")
    for reason in get_args(Reason):
        assert f"`{reason}`" in text.split("## Reasons")[1].split("## ")[0]
    for name in ACTION_FIELDS:
        assert name in text.split("## Conditions")[1].split("## ")[0]
    for example in re.findall(r"^    (.+)$", text.split("## Conditions")[1], re.MULTILINE):
        assert str(parse(example))


def test_examples_of_problems_have_the_shape() -> None:
    (example,) = examples("docs/http-api.md", "json")
    assert set(json.loads(example)) == {"type", "title", "status", "detail", "errors"}


@pytest.fixture(scope="module")
def readme_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("readme")


@pytest.fixture(scope="module")
def readme_service(readme_folder: Path) -> Iterator[int]:
    """The service with the README's configuration, as its commands start it."""
    folder = readme_folder
    (configuration,) = examples("README.md", "toml")
    (folder / "segue.toml").write_text(configuration)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    segue = [sys.executable, "-m", "api.cli.main"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    checked = subprocess.run([*segue, "check"], cwd=folder, env=environment, check=False)
    assert checked.returncode == 0
    environment["SEGUE_SERVICE__PORT"] = str(port)
    with subprocess.Popen([*segue, "serve"], cwd=folder, env=environment) as process:
        try:
            wait_until_ready(port)
            yield port
        finally:
            process.terminate()


def wait_until_ready(port: int) -> None:
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("the README's service did not become ready")


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_readmes_curl_examples_run(readme_service: int) -> None:
    (block,) = examples("README.md", "bash")
    commands = re.findall(r"^curl .*?(?=^#|^curl|\Z)", block, re.DOTALL | re.MULTILINE)
    answers = []
    for command in commands:
        arguments = shlex.split(command.replace("localhost:8080", f"127.0.0.1:{readme_service}"))
        done = subprocess.run(arguments, capture_output=True, text=True, check=True)
        answers.append(json.loads(done.stdout))
    decision, observed = answers
    assert decision["action"]["id"] in ("free-shipping", "new-teas")
    assert observed == {
        "success": True,
        "accepted": 1,
        "duplicates": 0,
        "rewards": 1,
        "rejected": [],
    }


def test_the_readmes_python_example_runs(
    readme_service: int, capsys: pytest.CaptureFixture[str]
) -> None:
    (block,) = examples("README.md", "python")
    block = block.replace("localhost:8080", f"127.0.0.1:{readme_service}")
    block = block.replace("timeout=0.2", "timeout=5")  # a slow machine is no fault of the example
    exec(compile(block, "README.md", "exec"), {})
    shown, once, twice = capsys.readouterr().out.splitlines()
    assert shown.startswith("show {'banner'")
    assert (once, twice) == ("counted", "duplicate")


def test_the_clients_examples_run(
    readme_service: int, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    *blocks, segments = examples("docs/clients.md", "python")
    exec(segments.replace("localhost:8080", f"127.0.0.1:{readme_service}"), {})
    for block in blocks:
        code = block.replace("localhost:8080", f"127.0.0.1:{readme_service}")
        code = code.replace(", timeout_ms=200", "")  # a slow machine is no fault of the example
        code = code.replace('key="KEY"', 'key="KEY", timeout_ms=5000')
        exec(compile(code, "clients.md", "exec"), {})
    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in shown] == ["show"] * len(blocks)
    assert [one.message for one in caplog.records if one.name == "segue.client"] == []


def test_the_logs_examples_read_what_the_service_wrote(
    readme_service: int, readme_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = json.dumps({"visitor": "eve", "placement": "home"}).encode()
    url = f"http://127.0.0.1:{readme_service}/v1/decisions"
    with urllib.request.urlopen(url, body, timeout=5) as response:
        decision = json.load(response)
    reward = json.dumps({"decision_id": decision["decision_id"], "value": 0.5}).encode()
    with urllib.request.urlopen(url.replace("decisions", "rewards"), reward, timeout=5):
        pass
    monkeypatch.chdir(readme_folder)
    (query,) = examples("docs/reliability.md", "sql")
    (block,) = examples("docs/reliability.md", "python")
    found: dict[str, Any] = {}
    exec(compile(block, "reliability.md", "exec"), found)
    with contextlib.closing(found["log"]) as log:
        assert ("home", decision["action"]["id"]) in [row[:2] for row in log.execute(query)]
    assert set(found["probabilities"]) == {"free-shipping", "new-teas"}
    assert sum(found["probabilities"].values()) == pytest.approx(1)
    assert len(found["features"]) == 2


def test_the_example_of_personalizer_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (configured,) = examples("docs/personalizer.md", "toml")
    with running_service(tmp_path, tomllib.loads(configured)) as client:
        (block,) = examples("docs/personalizer.md", "python")
        exec(
            compile(block.replace("http://localhost:8080", str(client.base_url)), "docs", "exec"),
            {},
        )
        assert capsys.readouterr().out.strip() in ("pasta", "juice")
        sql = "SELECT visitor, probability FROM decisions"
        assert stored(tmp_path, sql) == [("ann", 0.5)]


def test_the_examples_of_evaluation_run() -> None:
    names: dict[str, Any] = {}
    for block in examples("docs/evaluation.md", "python"):
        exec(compile(block, "evaluation.md", "exec"), names)


def test_the_rules_and_the_grid_of_evaluation_are_ones(tmp_path: Path) -> None:
    rules, grid = tmp_path / "rules.toml", tmp_path / "grid.toml"
    for path, text in zip((rules, grid), examples("docs/evaluation.md", "toml"), strict=True):
        path.write_text(text)
    names = (*Pipeline.feature_names, "device=mobile", "device=desktop")
    source = Source("home", list, names, (), fields_of(names))
    assert wanted(str(rules)).on(source).target is not None
    assert len(candidates_of(grid)) == 3 + 2 + 1


def test_the_lift_examples_run() -> None:
    for block in examples("docs/lift.md", "python"):
        exec(compile(block, "lift.md", "exec"), {})
