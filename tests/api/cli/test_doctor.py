"""`segue doctor`: what is sound is said to be, and each fault is found, with what helps."""

import json
import os
import socket
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api.auth import key_hash
from api.cli.doctor.command import examine
from api.cli.doctor.finding import Finding
from api.cli.doctor.keys import check_keys
from api.cli.doctor.machine import check_disk, check_versions, file_system, is_repaired
from api.cli.doctor.store import check_store
from api.cli.main import app
from api.configuration import load_settings, parse_settings
from api.loop.engine import Engine
from api.schemas.decision import DecisionRequest
from api.schemas.reward import DecisionReward
from tests.api.loop.test_engine import run
from tests.api.service import configuration, write_configuration

DAY = 86_400.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A configuration, and the store of a service that decided and learned once, and stopped."""
    write_configuration(tmp_path, configuration())

    async def work(engine: Engine) -> None:
        request = DecisionRequest(visitor="ann", placement="home", context={})
        decided = await engine.decider.decide(request)
        await engine.rewarder.reward(decided["decision_id"], DecisionReward(value=1.0))
        assert engine.learner is not None
        await engine.learner.drain()

    run(load_settings(tmp_path / "segue.toml"), work)
    return tmp_path


def found(folder: Path, **options: Any) -> dict[str, Finding]:
    settings = load_settings(folder / "segue.toml")
    return {one.check: one for one in check_store(settings, full=True, **options)}


def change(folder: Path, sql: str, *parameters: object) -> None:
    with closing(sqlite3.connect(folder / "segue.db")) as connection:
        connection.execute(sql, parameters)
        connection.commit()


def test_a_sound_store_has_nothing_but_ok(folder: Path) -> None:
    findings = found(folder)
    assert {one.status for one in findings.values()} == {"ok"}
    assert findings["model.home"].message.startswith("loads; 1 decisions")
    assert findings["learner.home"].message.startswith("0 rewards")
    assert set(findings) >= {
        *("store.permissions", "store.wal", "store.integrity", "store.schema"),
        *("store.durability", "clock"),
    }


def test_the_command_prints_every_check_and_its_exit_code_says_whether_one_failed(
    folder: Path,
) -> None:
    config = str(folder / "segue.toml")
    result = CliRunner().invoke(app, ["doctor", "--config", config, "--json"])
    report = json.loads(result.stdout)
    assert result.exit_code == (1 if report["status"] == "fail" else 0)
    assert {one["status"] for one in report["checks"]} <= {"ok", "warn", "fail"}
    assert all(one["remedy"] for one in report["checks"] if one["status"] != "ok")
    change(folder, "UPDATE decisions SET decided_at_us = ?", int(4e15))
    result = CliRunner().invoke(app, ["doctor", "--config", config])
    assert result.exit_code == 1
    assert "fail  clock" in result.stdout
    assert "→ set the clock" in result.stdout


def test_a_configuration_with_faults_fails_with_each_of_them(tmp_path: Path) -> None:
    path = write_configuration(tmp_path, configuration(service={"port": "x", "hots": 1}))
    failed = [one.message for one in examine(path) if one.status == "fail"]
    assert len(failed) == 2
    assert "service.port is 'x'" in failed[0]


def test_a_damaged_file_fails_and_says_how_to_restore(folder: Path) -> None:
    path = folder / "segue.db"
    content = bytearray(path.read_bytes())
    content[8192:12288] = b"\xff" * 4096
    path.write_bytes(content)
    finding = found(folder)["store.integrity"]
    assert finding.status == "fail"
    assert "segue restore" in finding.remedy


def test_an_index_that_disagrees_is_found_by_the_full_check(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "segue.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET sql = replace(sql, 'closes_at_us', "
                           "'decided_at_us') WHERE name = 'decisions_by_close'")  # fmt: skip
    settings = load_settings(folder / "segue.toml")
    quick = {one.check: one.status for one in check_store(settings, full=False)}
    assert quick["store.integrity"] == "ok"
    assert found(folder)["store.integrity"].status == "fail"


def test_schemas_of_before_and_of_after_are_told_apart(folder: Path) -> None:
    last = "(SELECT max(id) FROM _sqlite_migrations)"
    change(folder, f"DELETE FROM _sqlite_migrations WHERE id = {last}")
    assert found(folder)["store.schema"].status == "warn"
    change(folder, "UPDATE _sqlite_migrations SET name = 'of_tomorrow' WHERE id = 1")
    finding = found(folder)["store"]
    assert finding.status == "fail"
    assert "newer version" in finding.message


def test_a_file_that_all_may_read_is_a_warning(folder: Path) -> None:
    (folder / "segue.db").chmod(0o644)
    assert found(folder)["store.permissions"].remedy.startswith("chmod 600")


def test_a_model_that_does_not_fit_will_be_learned_again(folder: Path) -> None:
    change(folder, "UPDATE models SET data = ?", b"PK no model")
    findings = found(folder)
    assert findings["model.home"].status == "warn"
    assert findings["learner.home"].message.startswith("1 rewards")


def test_a_learner_that_stands_still_fails_while_its_service_runs(folder: Path) -> None:
    change(folder, "DELETE FROM models")
    assert found(folder, now=time.time() + DAY)["learner.home"].status == "ok"  # it is stopped

    async def work(_: Engine) -> None:
        change(folder, "DELETE FROM models")
        finding = found(folder, now=time.time() + DAY)["learner.home"]
        assert finding.status == "fail"
        assert "learning_failed" in finding.remedy

    run(load_settings(folder / "segue.toml"), work)


def test_a_clock_of_the_last_century_fails(folder: Path) -> None:
    assert found(folder, now=1e6)["clock"].status == "fail"


def key(value: str, *scopes: str, name: str = "a") -> dict[str, Any]:
    return {"name": name, "sha256": key_hash(value), "scopes": list(scopes)}


@pytest.mark.parametrize(
    ("keys", "status", "told"),
    [
        ([], "warn", "none"),
        ([key("x" * 40, "decide")], "ok", "1 keys"),
        ([key("secret", "decide")], "fail", "guessed"),
        ([key("k", "ingest", "admin")], "warn", "admin"),
        ([key("k", "ingest")], "warn", "no limit"),
        ([key("k", "decide"), key("k", "reward", name="b")], "fail", "'a' and 'b' are one key"),
    ],
)
def test_keys_that_do_too_much_or_too_little_are_found(
    keys: list[dict[str, Any]], status: str, told: str
) -> None:
    (finding,) = check_keys(parse_settings(configuration(keys=keys)))
    assert finding.status == status
    assert told in finding.message


@pytest.mark.parametrize(
    ("version", "repaired"),
    [
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 45, 0), False),
        ((3, 50, 7), True),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 53, 0), True),
    ],
)
def test_releases_of_sqlite_with_the_reset_fault_are_known(
    version: tuple[int, ...], repaired: bool
) -> None:
    assert is_repaired(version) == repaired
    statuses = {one.check: one.status for one in check_versions(version)}
    assert statuses["versions.sqlite"] == ("ok" if repaired else "warn")


def test_the_file_system_is_that_of_the_nearest_mount(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("/dev/a / ext4 rw 0 0\nserver:/x /srv/a\\040b nfs4 rw 0 0\nt /tmp tmpfs rw\n")
    assert file_system(Path("/srv/a b/c"), mounts) == "nfs4"
    assert file_system(Path("/srv"), mounts) == "ext4"
    assert file_system(Path("/tmp/x"), mounts) == "tmpfs"
    assert file_system(Path("/srv"), tmp_path / "absent") == "an unknown file system"


@pytest.mark.skipif(not os.path.ismount("/dev/shm"), reason="needs a file system in memory")
def test_a_store_in_memory_does_not_keep_what_power_loss_durability_promises() -> None:
    settings = parse_settings({"service": {"database": "/dev/shm/segue-doctor.db"}})
    first, *_ = check_disk(settings)
    assert first.status == "fail"
    assert "forgets" in first.message


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    settings = parse_settings({"service": {"database": str(tmp_path / "no" / "s.db")}})
    assert [one.status for one in check_disk(settings)] == ["fail"]


def test_a_port_that_something_else_has_fails(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        path = write_configuration(tmp_path, configuration(service={"port": port}))
        findings = {one.check: one for one in examine(path)}
    assert findings["port"].status == "fail"
    assert findings["store"].status == "ok"  # made at the first start
