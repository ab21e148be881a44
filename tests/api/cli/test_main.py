"""The commands `check`, `keys` and `serve`, up to where the server would start."""

import socket
import tomllib
from pathlib import Path
from typing import Any

import pytest
import structlog
from typer.testing import CliRunner, Result

from api.auth import key_hash
from api.cli.main import app
from api.cli.serve import Unfailing, run
from api.configuration import load_settings
from tests.api.service import configuration, placement, running_service, write_configuration

ASK = {"visitor": "v", "placement": "home"}


def segue(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def made(result: Result) -> tuple[str, dict[str, Any]]:
    """The key that was printed, and what is to go into the configuration."""
    key = next(line for line in result.stdout.splitlines() if line.startswith("segue_"))
    (settings,) = tomllib.loads(result.stdout[result.stdout.index("[[keys]]") :])["keys"]
    return key, settings


def test_check_says_what_a_configuration_sets_up(tmp_path: Path) -> None:
    result = segue("check", "--config", write_configuration(tmp_path, configuration()))
    assert result.exit_code == 0
    said = " ".join(result.stdout.split())
    assert "placement home: 3 actions, linucb" in said
    assert "reward from Order Completed within 60 minutes" in said
    assert "no [[keys]]" in said


def test_check_names_every_event_that_earns(tmp_path: Path) -> None:
    reward = {"events": [{"name": "Order Completed"}, {"name": "Product Added", "weight": 0.1}]}
    settings = configuration(placements=[placement(reward=reward)])
    result = segue("check", "--config", write_configuration(tmp_path, settings))
    assert result.exit_code == 0
    assert "from Order Completed, Product Added within" in " ".join(result.stdout.split())


def test_check_says_who_challenges_and_who_judges(tmp_path: Path) -> None:
    rival = {"kind": "lints", "share": 0.2}
    shops = [placement(challenger=rival, promotion={}), placement(name="b", challenger=rival)]
    made = write_configuration(tmp_path, configuration(placements=shops))
    said = " ".join(segue("check", "--config", made).stdout.split())
    assert "challenger of home: lints takes 20% of the decisions, a gate acts by itself" in said
    assert "challenger of b: lints takes 20% of the decisions, no gate" in said


def test_check_explains_every_fault_and_fails(tmp_path: Path) -> None:
    settings = configuration(service={"port": "x"}, placements=[placement(default="te")])
    result = segue("check", "-c", write_configuration(tmp_path, settings))
    assert result.exit_code == 2
    assert "service.port is 'x'" in result.stderr
    assert "placements[0].default is 'te'" in result.stderr


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"crosses": [["baskt", "discount"]]}, "did you mean 'basket'?"),
        ({"context": {"recency": "number", "intercept": "number"}}, "'intercept'"),
    ],
)
def test_check_finds_what_only_building_shows(
    tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    settings = configuration(placements=[placement(**changes)])
    result = segue("check", "-c", write_configuration(tmp_path, settings))
    assert result.exit_code == 2
    assert told in result.stderr


@pytest.mark.parametrize("command", ["check", "serve"])
def test_a_missing_file_is_named(tmp_path: Path, command: str) -> None:
    result = segue(command, "-c", tmp_path / "nowhere.toml")
    assert result.exit_code == 2
    assert "nowhere.toml: cannot be read" in result.stderr


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [("--host", "0.0.0.0", "without [[keys]]"), ("--port", "70000", "65535")],
)
def test_serve_checks_the_address_that_it_is_given(
    tmp_path: Path, option: str, value: str, told: str
) -> None:
    path = write_configuration(tmp_path, configuration())
    result = segue("serve", "-c", path, option, value)
    assert result.exit_code == 2
    assert told in result.stderr
    assert not (tmp_path / "segue.db").exists()


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as file:
        log = Unfailing(file)
        log.write("kept\n")
        log.flush()
    log.write("lost\n")
    log.flush()
    assert (tmp_path / "log").read_text() == "kept\n"


def test_a_taken_port_is_said_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        path = write_configuration(tmp_path, configuration(service={"port": port}))
        with pytest.raises(SystemExit) as ended:
            run(load_settings(path))
    structlog.reset_defaults()
    assert ended.value.code == 2
    assert f"127.0.0.1:{port} cannot be used: " in capsys.readouterr().err


@pytest.mark.parametrize("name", ["shop", 'say "tea" \\ [[keys]] 🦊'])
def test_keys_new_prints_a_key_once_and_its_hash_as_toml(name: str) -> None:
    key, settings = made(segue("keys", "new", name, "--scopes", "decide, read"))
    assert len(key) > 40
    assert settings == {"name": name, "sha256": key_hash(key), "scopes": ["decide", "read"]}
    assert made(segue("keys", "new", name))[0] != key


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("shop", "--scopes", "decide,rule"), "must be one of decide, ingest"),
        (("shop", "--scopes", " , "), "must be one of decide, ingest"),
        (("",), "must be 1 to 200 printable characters"),
        (("a\nb",), "must be 1 to 200 printable characters"),
    ],
)
def test_keys_new_refuses_what_the_configuration_would_refuse(
    arguments: tuple[str, ...], told: str
) -> None:
    result = segue("keys", "new", *arguments)
    assert result.exit_code == 2
    assert told in " ".join(result.stderr.split())


def test_a_new_key_works_over_http(tmp_path: Path) -> None:
    key, settings = made(segue("keys", "new", "shop", "--scopes", "decide"))
    with running_service(tmp_path, configuration(keys=[settings])) as client:
        assert client.post("/v1/decisions", json=ASK).status_code == 401
        bearer = {"authorization": f"Bearer {key}"}
        assert client.post("/v1/decisions", json=ASK, headers=bearer).status_code == 200
    assert key not in (tmp_path / "segue.toml").read_text()
    assert key not in (tmp_path / "log").read_text()
