"""The configuration: what it takes from where, and that every fault is named."""

from pathlib import Path
from typing import Any

import pytest

from api.configuration import load_settings, parse_settings
from api.settings import Settings, SettingsError
from tests.api.service import configuration, placement, write_configuration

HASH = "a" * 64


def faults(settings: dict[str, Any]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        parse_settings(settings)
    return [line.removeprefix("segue.toml: ") for line in str(caught.value).splitlines()]


def key(**changes: Any) -> dict[str, Any]:
    return {"name": "shop", "sha256": HASH, "scopes": ["decide"], **changes}


def test_a_valid_file_is_read_and_its_database_is_beside_it(tmp_path: Path) -> None:
    settings = load_settings(write_configuration(tmp_path, configuration()))
    assert settings.service.database == tmp_path / "segue.db"
    assert [action.id for action in settings.actions] == ["tea", "salt", "beef"]
    (home,) = settings.placements
    assert home.context == {"device": ("mobile", "desktop"), "basket": "number"}
    assert (home.policy.kind, home.policy.parameters) == ("linucb", {"alpha": 0.5})
    assert home.reward.spec().match == "category"


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    settings = load_settings(write_configuration(tmp_path, {}))
    assert (settings.service.host, settings.service.port) == ("127.0.0.1", 8080)
    assert settings.service.durability == "power-loss"


def test_an_absolute_database_stays_where_it_is(tmp_path: Path) -> None:
    settings = parse_settings({"service": {"database": "/srv/shop.db"}}, source=tmp_path / "s.toml")
    assert settings.service.database == Path("/srv/shop.db")


def test_the_environment_overrides_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_SERVICE__PORT", "9000")
    monkeypatch.setenv("SEGUE_KEYS", f'[{{"name": "a", "sha256": "{HASH}", "scopes": ["read"]}}]')
    settings = parse_settings({"service": {"port": 1, "clock": "replay"}})
    assert (settings.service.port, settings.service.clock) == (9000, "replay")
    assert settings.keys[0].scopes == ("read",)


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("SEGUE_SERVICE__PORT", "http", "service.port is 'http': Input should be a valid integer"),
        ("SEGUE_SERVICE__PROT", "1", "service.prot is '1': no such setting; did you mean 'port'?"),
        ("SEGUE_SERVICE", "port=1", 'environment: error parsing value for field "service"'),
    ],
)
def test_faults_of_the_environment_are_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, told: str
) -> None:
    monkeypatch.setenv(variable, value)
    assert told in faults({})[0]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"servise": {}}, "servise: no such setting; did you mean 'service'?"),
        ({"service": {"databse": "x"}},
         "service.databse is 'x': no such setting; did you mean 'database'?"),
        ({"service": 3}, "service is 3: "),
        ({"service": {"port": "http"}}, "service.port is 'http': "),
        ({"service": {"port": 65536}}, "service.port is 65536: "),
        ({"service": {"durability": "none"}}, "service.durability is 'none': "),
        ({"service": {"snapshot_seconds": float("inf")}}, "service.snapshot_seconds is inf: "),
        ({"service": {"snapshot_seconds": 0}}, "service.snapshot_seconds is 0: "),
        ({"segments": {"refit_hours": float("nan")}}, "segments.refit_hours is nan: "),
        ({"segments": {"n_segments": 1}}, "segments.n_segments is 1: "),
        ({"service": {"host": "0.0.0.0"}},
         "service.host is '0.0.0.0': without [[keys]] the service listens on 127.0.0.1 only"),
        ({"actions": {"id": "tea"}}, "actions: "),
        ({"actions": [{"id": ""}]}, "actions[0].id is '': "),
        ({"actions": [{"id": "tea", "kind": "bribe"}]}, "actions[0].kind is 'bribe': "),
        ({"actions": [{"id": "tea", "features": {"x": float("inf")}}]},
         "actions[0].features.x is inf: "),
        ({"actions": [{"id": "tea"}, {"id": "tea"}], "placements": []},
         "actions: 'tea' is there more than once"),
        ({"placements": [placement(), placement()]},
         "placements: 'home' is there more than once"),
        ({"keys": [key(), key()]}, "keys: 'shop' is there more than once"),
        ({"keys": [key(scopes=["decde"])]}, "keys[0].scopes[0]: "),
        ({"keys": [key(scopes=[])]}, "keys[0].scopes: "),
        ({"keys": [key(scopes=["decide"], scope=["read"])]},
         "keys[0].scope: no such setting; did you mean 'scopes'?"),
    ],
)  # fmt: skip
def test_a_fault_is_named_by_field_value_and_rule(changes: dict[str, Any], told: str) -> None:
    assert any(line.startswith(told) for line in faults(configuration(**changes)))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"default": "te"},
         ".default is 'te': must be one of the placement's actions; did you mean 'tea'?"),
        ({"actions": ["tea", "slat"]},
         ".actions[1] is 'slat': is not in [[actions]]; did you mean 'salt'?"),
        ({"actions": ["tea", "tea"]}, ".actions: 'tea' is there more than once"),
        ({"reward": {"match": "brand"}}, ".reward.match is 'brand': action 'beef' has no brand"),
        ({"actions": []}, ".actions: "),
        ({"context": {"device": 3}}, '.context.device is 3: must be "number", or the list'),
        ({"context": {"device": "numbr"}}, ".context.device is 'numbr': "),
        ({"context": {"device": ["a", "a"]}}, ".context.device: "),
        ({"context": {"device": []}}, ".context.device: "),
        ({"context": {"device": ["a", 3]}}, ".context.device: "),
        ({"policy": {"kind": "linucv"}}, ".policy: unknown policy 'linucv': did you mean 'linucb'"),
        ({"policy": {"kind": "linucb", "alfa": 1}},
         ".policy: policy 'linucb' has no parameter 'alfa': did you mean 'alpha'?"),
        ({"policy": {"kind": "linucb", "alpha": -1}}, ".policy: alpha is -1"),
        ({"policy": {"kind": "linucb", "alpha": "much"}}, ".policy: alpha is 'much'"),
        ({"policy": {"alpha": 1, "n_context": 3}}, ".policy: "),
        ({"reward": {"event": "Order Complete"}},
         ".reward.event is 'Order Complete': no such event; did you mean 'Order Completed'?"),
        ({"reward": {"match": "colour"}}, ".reward.match is 'colour': "),
        ({"reward": {"windows_minutes": 5}},
         ".reward.windows_minutes is 5: no such setting; did you mean 'window_minutes'?"),
        ({"reward": {"window_minutes": 0}}, ".reward.window_minutes is 0: "),
        ({"reward": {"default": float("nan")}}, ".reward.default is nan: "),
        ({"nmae": "x"}, ".nmae is 'x': no such setting; did you mean 'name'?"),
    ],
)  # fmt: skip
def test_a_fault_of_a_placement_is_named(changes: dict[str, Any], told: str) -> None:
    lines = faults(configuration(placements=[placement(**changes)]))
    assert any(line.startswith(f"placements[0]{told}") for line in lines), lines


def test_a_payload_that_is_not_json_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "segue.toml"
    path.write_text('[[actions]]\nid = "tea"\npayload = {until = 2026-11-23}\n')
    with pytest.raises(SettingsError, match=r"actions\[0\]\.payload\.until: .*JSON"):
        load_settings(path)


def test_several_faults_are_listed_at_once() -> None:
    service = {"port": "x", "clock": "sundial", "prot": 1}
    lines = faults(configuration(service=service, placements=[placement(default="te")]))
    assert [line.split(" ")[0] for line in lines] == [
        "service.port", "service.clock", "service.prot", "placements[0].default",
    ]  # fmt: skip
    two = [placement(actions=["tea", "x"]), placement(actions=["tea", "y"])]
    lines = faults(configuration(service={"host": "::"}, placements=two))
    assert [line.split(" ")[0] for line in lines] == [
        "placements:", "placements[0].actions[1]", "placements[1].actions[1]", "service.host",
    ]  # fmt: skip


def test_a_key_where_its_hash_belongs_is_not_printed() -> None:
    settings = configuration(keys=[key(sha256="segue_SECRET", key="segue_SECRET", hash="SECRET")])
    told = "\n".join(faults(settings))
    assert "keys[0].sha256: must be 64 hexadecimal digits" in told
    assert "SECRET" not in told


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"[service\n", "not valid TOML: .*line 1"),
        (b'a = "\xff"', "not valid TOML"),
        (b"a = " + b"[" * 20_000, "not valid TOML"),
        (b"\xef\xbb\xbf[service]", "not valid TOML"),
    ],
)
def test_what_is_not_toml_is_said_with_its_place(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "segue.toml").write_bytes(content)
    with pytest.raises(SettingsError, match=told):
        load_settings(tmp_path / "segue.toml")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.toml: cannot be read: No such file"):
        load_settings(tmp_path / "nowhere.toml")
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        load_settings(tmp_path)


def test_settings_do_not_change() -> None:
    settings = parse_settings({})
    with pytest.raises(ValueError, match="frozen"):
        settings.service.port = 1
    assert isinstance(settings, Settings)


def test_another_address_keeps_the_rule_of_loopback() -> None:
    settings = parse_settings({})
    assert settings.listening_on("::1", 0).service.port == 0
    assert settings.listening_on(None, None) == settings
    with pytest.raises(SettingsError, match=r"service\.host is '0\.0\.0\.0'"):
        settings.listening_on("0.0.0.0", None)
    with_key = parse_settings({"keys": [key()]})
    assert with_key.listening_on("0.0.0.0", None).service.host == "0.0.0.0"
