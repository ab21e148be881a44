"""The whole OpenAPI document, by requests made from it: no failure, and no answer that it hides."""

from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.api.test_openapi import ROUTES

CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
]


@pytest.fixture(scope="module")
def schema(service: httpx.Client) -> Any:
    return schemathesis.openapi.from_url(f"{service.base_url}/openapi.json")


@pytest.mark.parametrize(("method", "path"), sorted(ROUTES))
def test_every_answer_is_one_that_the_document_names(
    service: httpx.Client, schema: Any, method: str, path: str
) -> None:
    operation = schema[path][method.upper()]
    ask = {"visitor": "schema", "placement": "home"}
    answer = service.post("/v1/decisions", json=ask).json()
    names = {"placement": "home", "name": "home", "decision_id": answer["decision_id"]}

    def known(fields: Any) -> dict[str, str]:
        """What exists, in place of what was made up: else most answers were 404."""
        return {name: value for name, value in names.items() if name in (fields or {})}

    @settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def holds(case: Any) -> None:
        case.path_parameters = {**(case.path_parameters or {}), **known(case.path_parameters)}
        if isinstance(case.body, dict):
            case.body = {**case.body, **known(case.body)}
        case.call_and_validate(checks=CHECKS)

    holds()
