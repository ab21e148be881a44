"""What `deploy/` says is true of this tree: units verify, commands parse, files exist.

Without a daemon no image is built and no unit started; everything that can be checked is.
"""

import ast
import configparser
import ctypes
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from api.cli.main import app
from tests.api.service import configuration, running_service, write_configuration

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
UNITS = sorted(path.name for path in DEPLOY.glob("segue*"))
REFUSE_GAINING_EXECUTION = 65  # PR_SET_MDWE, what MemoryDenyWriteExecute= asks for


def unit(name: str) -> dict[str, list[tuple[str, str]]]:
    """Sections of a unit, each with its settings in order; a setting may come twice."""
    sections: dict[str, list[tuple[str, str]]] = {}
    for line in (DEPLOY / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            sections[line.strip("[]")] = []
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            sections[list(sections)[-1]].append((key, value))
    return sections


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's, with continued lines joined."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in lines]


def parses(command: list[str]) -> None:
    """A `segue` command with its arguments is one."""
    assert Path(command[0]).name == "segue"
    group = get_command(app)
    leaf = group.commands[command[1]]  # type: ignore[attr-defined]  # a click group
    leaf.make_context(command[1], command[2:])


def test_there_is_a_unit_of_each_kind() -> None:
    assert UNITS == ["segue-backup.service", "segue-backup.timer", "segue.service", "segue.socket"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_units_verify_and_are_hardened(tmp_path: Path) -> None:
    program = tmp_path / "segue"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for name in UNITS:
        text = (DEPLOY / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace("/opt/segue/bin/segue", str(program)))
    verify = ["systemd-analyze", "verify", *(str(tmp_path / name) for name in UNITS)]
    done = subprocess.run(verify, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    security = ["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager"]
    for name in UNITS:
        if name.endswith(".service"):
            path = str(tmp_path / name)
            done = subprocess.run([*security, path], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout[-300:]


def test_the_units_commands_are_commands() -> None:
    serve = dict(unit("segue.service")["Service"])["ExecStart"]
    parses(shlex.split(serve))
    backup = shlex.split(dict(unit("segue-backup.service")["Service"])["ExecStart"])
    assert backup[:2] == ["/bin/sh", "-c"]
    parses(shlex.split(backup[2].removeprefix("exec ").replace("$(date +%%a)", "Mon")))


def test_only_the_stores_folder_is_writable_and_nobody_is_root() -> None:
    for name in ("segue.service", "segue-backup.service"):
        service = dict(unit(name)["Service"])
        assert service["DynamicUser"] == service["NoNewPrivileges"] == "yes"
        assert service["ProtectSystem"] == "strict"
        assert "ReadWritePaths" not in service
        assert service["CapabilityBoundingSet"] == ""
        database = service["Environment"].removeprefix("SEGUE_SERVICE__DATABASE=")
        assert Path(database).parent.name in service["StateDirectory"].split()


@pytest.mark.skipif(sys.platform != "linux", reason="a limit of Linux")
def test_the_server_loads_where_memory_is_never_both_written_and_executed(tmp_path: Path) -> None:
    """What the unit's MemoryDenyWriteExecute asks for."""
    path = write_configuration(tmp_path, configuration())
    libc = ctypes.CDLL(None, use_errno=True)
    limited = (
        f"import ctypes; assert not ctypes.CDLL(None).prctl({REFUSE_GAINING_EXECUTION}, 1, 0, 0, 0)"
    )
    loaded = "import api.cli.serve, httptools, uvloop; from api.cli.main import app"
    code = "\n".join((limited, loaded, f"app({['check', '--config', str(path)]!r})"))
    if libc.prctl(REFUSE_GAINING_EXECUTION + 1, 0, 0, 0, 0) < 0:  # PR_GET_MDWE
        pytest.skip("this kernel does not know PR_SET_MDWE")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_image_copies_what_exists_and_leaves_no_part_of_the_package_out() -> None:
    copied = [
        source
        for name, value in instructions()
        if name == "COPY" and not value.startswith("--from")
        for source in value.split()[:-1]
    ]
    for source in copied:
        assert (ROOT / source).exists(), source
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = project["tool"]["setuptools"]["packages"]["find"]["include"]
    assert {package.rstrip("*") for package in packages} <= set(copied)
    assert "constraints.txt" in copied


def test_the_images_commands_run_and_not_as_root(tmp_path: Path) -> None:
    said = dict(instructions())
    assert said["USER"] == "segue"
    parses([*json.loads(said["ENTRYPOINT"]), *json.loads(said["CMD"])])
    healthy = json.loads(said["HEALTHCHECK"].partition("CMD ")[2])
    assert healthy[:2] == ["python", "-c"]
    ast.parse(healthy[2])
    with running_service(tmp_path, configuration()) as client:
        code = healthy[2].replace("127.0.0.1:8080", client.base_url.netloc.decode())
        subprocess.run([sys.executable, "-c", code], check=True)


def test_the_compose_file_mounts_what_the_image_reads_and_nothing_else_is_writable() -> None:
    services: dict[str, Any] = compose()["services"]
    said = dict(instructions())
    for service in services.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        mounts = [mount.split(":") for mount in service["volumes"]]
        assert ["./segue.toml", "/etc/segue/segue.toml", "ro"] in mounts
        assert said["VOLUME"] in [mount[1] for mount in mounts]
    assert services["segue"]["ports"] == ["127.0.0.1:8080:8080"]
    parses([*services["backup"]["entrypoint"], *services["backup"]["command"]])
    for name in compose()["volumes"]:
        assert re.search(rf"- {name}:/", (DEPLOY / "compose.yaml").read_text(encoding="utf-8"))


def compose() -> dict[str, Any]:
    yaml = pytest.importorskip("yaml", reason="needs PyYAML to read the compose file")
    read: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    return read


def test_the_timer_starts_the_backup() -> None:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(DEPLOY / "segue-backup.timer")
    assert parser["Timer"]["OnCalendar"]
    assert (DEPLOY / "segue-backup.timer").with_suffix(".service").exists()
