"""The OpenAPI document: complete, resolvable, and true of the answers."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from api.problems import ProblemBody
from api.routes import personalizer
from api.routes.hot import BODIES
from api.schemas.decision import DecisionResponse, ListResponse
from api.schemas.ingest import IngestResponse, ValidationResponse
from api.schemas.insight import ActionsResponse, ExplanationResponse
from api.schemas.readings import (
    HealthResponse,
    PoliciesResponse,
    ReadyResponse,
    VisitorResponse,
)
from api.schemas.record import RecordResponse
from api.schemas.reward import RewardBatchResponse, RewardResponse
from api.schemas.segments import SegmentsResponse
from api.schemas.webhooks import DeliveriesResponse, RedeliverResponse

ROUTES = {
    *(("post", path) for path in (*BODIES, *personalizer.BODIES)),
    *(
        (method, f"/personalizer/v1.0/configurations/{name}")
        for method in ("get", "put")
        for name in ("service", "policy")
    ),
    ("post", "/v1/segments/refit"),
    ("get", "/v1/visitors/{visitor}"),
    ("get", "/v1/visitors/{visitor}/export"),
    ("delete", "/v1/visitors/{visitor}"),
    ("get", "/v1/segments"),
    ("get", "/v1/deliveries"),
    ("post", "/v1/deliveries/redeliver"),
    ("get", "/v1/segments/refits"),
    ("get", "/v1/segments/compare"),
    ("get", "/v1/segments/transitions"),
    ("get", "/v1/segments/flows"),
    ("get", "/v1/segments/{segment}"),
    ("get", "/v1/segments/{segment}/members"),
    ("get", "/v1/visitors/{visitor}/segments"),
    ("get", "/v1/policies"),
    ("get", "/v1/placements/{name}/actions"),
    ("get", "/v1/decisions/{decision_id}"),
    ("get", "/v1/placements/{name}/policies"),
    ("get", "/v1/placements/{name}/policies/audit"),
    ("get", "/v1/placements/{name}/policies/{policy}/estimate"),
    ("get", "/v1/placements/{name}/policies/{policy}/model"),
    ("post", "/v1/placements/{name}/policies"),
    *(
        ("post", f"/v1/placements/{{name}}/policies/{{policy}}/{move}")
        for move in ("shadow", "mix", "promote", "rollback")
    ),
    ("get", "/v1/decisions/{decision_id}/explanation"),
    ("get", "/healthz"),
    ("get", "/readyz"),
    ("get", "/metrics"),
    ("get", "/segue.js"),
}


@pytest.fixture(scope="module")
def document(service: httpx.Client) -> dict[str, Any]:
    answer = service.get("/openapi.json")
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json()
    return body


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def references(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        part = list(part.values())
    if isinstance(part, list):
        for item in part:
            yield from references(item)


def test_it_has_the_shape_of_an_openapi_document(document: dict[str, Any]) -> None:
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"])
    assert document["info"]["title"] == "Segue"
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(ids)) == len(ids)
    for _, path, operation in operations(document):
        assert operation["summary"]
        assert operation["tags"]
        named = {item["name"] for item in operation.get("parameters", []) if item["in"] == "path"}
        assert named == set(re.findall(r"{(\w+)}", path))
        assert all(response["description"] for response in operation["responses"].values())


def test_it_lists_every_route(document: dict[str, Any]) -> None:
    assert {(method, path) for method, path, _ in operations(document)} == ROUTES


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    found = set(references(document))
    assert "#/components/schemas/CandidateAction" in found
    for reference in found:
        place: Any = document
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]
        assert place


def test_every_post_of_the_hot_path_describes_its_body(document: dict[str, Any]) -> None:
    for path, (body, _, _) in {**BODIES, **personalizer.BODIES}.items():
        if body is None:
            assert "requestBody" not in document["paths"][path]["post"]
            continue
        content = document["paths"][path]["post"]["requestBody"]["content"]
        schema = content["application/json"]["schema"]
        assert schema == {"$ref": f"#/components/schemas/{body.__name__}"}
        described = document["components"]["schemas"][body.__name__]["properties"]
        assert set(described) == set(body.model_fields)


def test_every_refusal_is_described_as_a_problem(document: dict[str, Any]) -> None:
    for _, _, operation in operations(document):
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                assert set(response["content"]) == {"application/problem+json"}
    described = document["components"]["schemas"]["ProblemBody"]["properties"]
    assert list(described) == list(ProblemBody.model_fields)


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/docs/oauth2-redirect"])
def test_no_page_fetches_scripts_from_elsewhere(service: httpx.Client, path: str) -> None:
    assert service.get(path).status_code == 404


def answers(service: httpx.Client) -> Iterator[tuple[httpx.Response, type[BaseModel]]]:
    event = {"event": "Product Viewed", "userId": "openapi", "properties": {"product_id": "p"}}
    yield service.post("/v1/track", json=event), IngestResponse
    batch = {"batch": [{"type": "page", "userId": "openapi"}, {"type": "page"}, 3]}
    yield service.post("/v1/batch", json=batch), IngestResponse
    for kind in ("identify", "page", "screen", "group"):
        yield service.post(f"/v1/{kind}", json={"userId": "openapi"}), IngestResponse
    alias = {"userId": "openapi", "previousId": "openapi-before"}
    yield service.post("/v1/alias", json=alias), IngestResponse
    ask = {"visitor": "openapi", "placement": "home", "excluded": ["salt"]}
    decided = service.post("/v1/decisions", json=ask)
    yield decided, DecisionResponse
    slots = [{"id": "top"}, {"id": "side", "excluded": ["tea", "beef"]}]
    yield service.post("/v1/decisions", json=ask | {"slots": slots}), ListResponse
    decision_id = decided.json()["decision_id"]
    reward = {"decision_id": decision_id, "value": 1}
    yield service.post("/v1/rewards", json=reward), RewardResponse
    path = f"/v1/decisions/{decision_id}/reward"
    yield service.post(path, json={"value": 0.5, "reward_id": decision_id}), RewardResponse
    yield service.post("/v1/rewards/batch", json={"rewards": [reward, {}]}), RewardBatchResponse
    measured = {"client_id": "openapi", "events": [{"name": "view_cart"}, {"name": "no"}]}
    yield service.post("/debug/mp/collect", json=measured), ValidationResponse
    yield service.get("/v1/deliveries"), DeliveriesResponse
    yield service.post("/v1/deliveries/redeliver", json={}), RedeliverResponse
    yield service.get("/v1/visitors/openapi"), VisitorResponse
    yield service.get("/v1/segments"), SegmentsResponse
    yield service.get("/v1/policies"), PoliciesResponse
    yield service.get("/v1/placements/home/actions"), ActionsResponse
    yield service.get(f"/v1/decisions/{decision_id}"), RecordResponse
    yield service.get(f"/v1/decisions/{decision_id}/explanation"), ExplanationResponse
    yield service.get("/healthz"), HealthResponse
    yield service.get("/readyz"), ReadyResponse


def test_answers_are_what_the_document_says(service: httpx.Client) -> None:
    for answer, model in answers(service):
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/json"
        read = model.model_validate_json(answer.content)
        assert set(answer.json()) == set(type(read).model_fields)


def test_the_metrics_are_prometheus_text(service: httpx.Client) -> None:
    service.post("/v1/decisions", json={"visitor": "m", "placement": "home"})
    answer = service.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    line = r'^segue_requests_total{path="/v1/decisions",status="200"} [1-9]'
    assert re.search(line, answer.text, re.MULTILINE)
