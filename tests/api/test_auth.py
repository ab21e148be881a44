"""Keys: who may do what, over HTTP."""

import base64
from collections.abc import Iterator
from typing import Any, get_args

import httpx
import pytest

from api.auth import KEY_PREFIX, Authenticator, key_hash, new_key
from api.problems import Problem
from api.settings import KeySettings, Scope
from tests.api.service import configuration, problem_of, running_service

SCOPES: tuple[Scope, ...] = get_args(Scope)
KEYS = {scope: f"segue_test_{scope}" for scope in SCOPES}
OPEN = {("get", "/healthz"), ("get", "/readyz"), ("get", "/segue.js")}
SIGNED = {("post", "/v1/webhooks/{source}")}
NEEDED: dict[tuple[str, str], Scope] = {
    ("post", "/v1/decisions"): "decide",
    ("post", "/v1/rewards"): "reward",
    ("post", "/v1/rewards/batch"): "reward",
    ("post", "/v1/decisions/{decision_id}/reward"): "reward",
    ("post", "/v1/decisions/{decision_id}/activate"): "reward",
    ("post", "/mp/collect"): "ingest",
    ("post", "/debug/mp/collect"): "ingest",
    ("post", "/v1/batch"): "ingest",
    ("post", "/v1/track"): "ingest",
    ("post", "/v1/identify"): "ingest",
    ("post", "/v1/page"): "ingest",
    ("post", "/v1/screen"): "ingest",
    ("post", "/v1/group"): "ingest",
    ("post", "/v1/alias"): "ingest",
    ("get", "/v1/visitors/{visitor}"): "read",
    ("get", "/v1/segments"): "read",
    ("get", "/v1/segments/refits"): "read",
    ("get", "/v1/segments/compare"): "read",
    ("get", "/v1/segments/transitions"): "read",
    ("get", "/v1/segments/flows"): "read",
    ("get", "/v1/segments/{segment}"): "read",
    ("get", "/v1/segments/{segment}/members"): "read",
    ("get", "/v1/visitors/{visitor}/segments"): "read",
    ("get", "/v1/policies"): "read",
    ("get", "/v1/placements/{name}/actions"): "read",
    ("get", "/v1/decisions/{decision_id}"): "read",
    ("get", "/v1/placements/{name}/policies"): "read",
    ("get", "/v1/placements/{name}/policies/audit"): "read",
    ("get", "/v1/placements/{name}/policies/{policy}/estimate"): "read",
    ("get", "/v1/placements/{name}/policies/{policy}/model"): "admin",
    ("post", "/v1/placements/{name}/policies"): "admin",
    ("post", "/v1/placements/{name}/policies/{policy}/shadow"): "admin",
    ("post", "/v1/placements/{name}/policies/{policy}/mix"): "admin",
    ("post", "/v1/placements/{name}/policies/{policy}/promote"): "admin",
    ("post", "/v1/placements/{name}/policies/{policy}/rollback"): "admin",
    ("get", "/v1/decisions/{decision_id}/explanation"): "read",
    ("get", "/metrics"): "read",
    ("post", "/personalizer/v1.0/rank"): "decide",
    ("post", "/personalizer/v1.0/events/{event_id}/reward"): "reward",
    ("post", "/personalizer/v1.0/events/{event_id}/activate"): "reward",
    ("post", "/personalizer/v1.1-preview.3/multislot/rank"): "decide",
    ("post", "/personalizer/v1.1-preview.3/multislot/events/{event_id}/reward"): "reward",
    ("post", "/personalizer/v1.1-preview.3/multislot/events/{event_id}/activate"): "reward",
    ("get", "/personalizer/v1.0/configurations/service"): "read",
    ("put", "/personalizer/v1.0/configurations/service"): "admin",
    ("get", "/personalizer/v1.0/configurations/policy"): "read",
    ("put", "/personalizer/v1.0/configurations/policy"): "admin",
    ("get", "/v1/visitors/{visitor}/export"): "privacy",
    ("delete", "/v1/visitors/{visitor}"): "privacy",
    ("post", "/v1/segments/refit"): "admin",
    ("get", "/v1/deliveries"): "read",
    ("post", "/v1/deliveries/redeliver"): "admin",
}


def configured(name: str, key: str, *scopes: str) -> dict[str, Any]:
    return {"name": name, "sha256": key_hash(key), "scopes": list(scopes)}


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A service with one key for each scope."""
    folder = tmp_path_factory.mktemp("guarded")
    keys = [configured(scope, key, scope) for scope, key in KEYS.items()]
    with running_service(folder, configuration(keys=keys)) as client:
        yield client
    log = (folder / "log").read_text()
    assert not any(key in log for key in KEYS.values())


def test_the_table_names_every_route(guarded: httpx.Client) -> None:
    paths = guarded.get("/openapi.json").json()["paths"]
    routes = {(method, path) for path, methods in paths.items() for method in methods}
    assert routes == set(NEEDED) | OPEN | SIGNED


@pytest.mark.parametrize(("method", "path"), OPEN)
def test_health_and_the_snippet_need_no_key(guarded: httpx.Client, method: str, path: str) -> None:
    assert guarded.request(method, path).status_code == 200


@pytest.mark.parametrize(("method", "path"), NEEDED)
@pytest.mark.parametrize("headers", [{}, bearer("segue_wrong")])
def test_without_a_known_key_a_route_answers_401(
    guarded: httpx.Client, method: str, path: str, headers: dict[str, str]
) -> None:
    answer = guarded.request(method, path, headers=headers)
    problem_of(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path"), NEEDED)
def test_a_route_takes_its_scope_and_no_other(
    guarded: httpx.Client, method: str, path: str
) -> None:
    needed = NEEDED[method, path]
    for scope, key in KEYS.items():
        answer = guarded.request(method, path, headers=bearer(key))
        if scope == needed:
            assert answer.status_code not in (401, 403)
        else:
            problem = problem_of(answer, 403)
            assert repr(needed) in problem["detail"]
            assert repr(scope) in problem["detail"]


def test_a_browsers_write_key_cannot_decide_or_read(guarded: httpx.Client) -> None:
    headers = bearer(KEYS["ingest"])
    event = {"event": "Product Viewed", "anonymousId": "browser"}
    assert guarded.post("/v1/track", json=event, headers=headers).status_code == 200
    ask = {"visitor": "browser", "placement": "home"}
    problem_of(guarded.post("/v1/decisions", json=ask, headers=headers), 403)
    problem_of(guarded.get("/v1/visitors/browser", headers=headers), 403)


@pytest.mark.parametrize(
    "value",
    [
        b"Basic \xe9\xe9",
        b"Basic \xff\xfe",
        b"Basic !!!not-base64!!!",
        b"Basic " + base64.b64encode(b"\xff\xfe:"),
        b"Basic",
        b"Bearer \xe9",
        b"Bearer " + b"x" * 8_000,
        b"Bearer",
        b"Digest realm=x",
        b"\xf0\x9f\xa6\x8a",
        b"",
        KEYS["read"].encode(),
    ],
    ids=lambda value: ascii(value[:24]),
)
@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/track"), ("GET", "/v1/policies")])
def test_an_odd_authorization_header_is_a_401(
    guarded: httpx.Client, method: str, path: str, value: bytes
) -> None:
    answer = guarded.request(method, path, headers=[(b"authorization", value)])
    problem_of(answer, 401)


@pytest.mark.parametrize(
    "value",
    [
        b"Bearer KEY",
        b"bearer   KEY ",
        b"Basic " + base64.b64encode(b"KEY:"),
        b"BASIC " + base64.b64encode(b"KEY:password") + b" ",
        b"Basic " + base64.b64encode(b"KEY"),
    ],
)
def test_a_key_comes_as_bearer_or_as_the_user_of_basic(value: bytes) -> None:
    authenticator = Authenticator([KeySettings(**configured("shop", "KEY", "decide"))])
    assert authenticator.check([(b"authorization", value)], "decide") == "shop"


def test_keys_rotate_by_being_configured_side_by_side() -> None:
    keys = [configured("old", "KEY1", "decide"), configured("new", "KEY2", "decide")]
    authenticator = Authenticator([KeySettings(**key) for key in keys])
    for name, key in (("old", b"KEY1"), ("new", b"KEY2")):
        assert authenticator.check([(b"authorization", b"Bearer " + key)], "decide") == name


def test_azures_header_carries_a_key_where_no_other_does() -> None:
    authenticator = Authenticator([KeySettings(**configured("shop", "KEY", "decide"))])
    azure = (b"ocp-apim-subscription-key", b"KEY")
    assert authenticator.check([azure], "decide") == "shop"
    for headers in ([(azure[0], b"\xff")], [azure, (b"authorization", b"Bearer wrong")]):
        with pytest.raises(Problem, match="401"):
            authenticator.check(headers, "decide")


def test_the_hash_is_not_the_key() -> None:
    key = new_key()
    authenticator = Authenticator([KeySettings(**configured("shop", key, "decide"))])
    with pytest.raises(Problem, match="401"):
        authenticator.check([(b"authorization", b"Bearer " + key_hash(key).encode())], "decide")
    assert key not in repr(vars(authenticator))


def test_no_key_is_not_an_empty_key() -> None:
    authenticator = Authenticator([KeySettings(**configured("oops", "", "decide"))])
    for headers in ([], [(b"authorization", b"Bearer ")], [(b"authorization", b"Basic Og==")]):
        with pytest.raises(Problem, match="401"):
            authenticator.check(headers, "decide")


def test_without_keys_everybody_may_do_everything() -> None:
    for scope in SCOPES:
        assert Authenticator([]).check([], scope) == "anonymous"


def test_new_keys_are_long_and_never_the_same() -> None:
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(key.startswith(KEY_PREFIX) and len(key) >= len(KEY_PREFIX) + 43 for key in keys)
