"""The routes that pages and trackers call, as the OpenAPI document describes them.

`api.routes.answering` says what answers them; `api.hot` serves them.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.hot import HotPath, HotRoute
from api.problems import MEDIA_TYPE, ProblemBody
from api.routes.answering import (
    ACTIVATE,
    BATCH,
    DECISION_REWARD,
    DECISIONS,
    GA4,
    GA4_DEBUG,
    MESSAGE_TYPES,
    REWARDS,
    REWARDS_BATCH,
    WEBHOOKS,
)
from api.schemas.decision import DecisionRequest, DecisionResponse, ListResponse
from api.schemas.ingest import (
    IngestResponse,
    Measurement,
    TrackingBatch,
    TrackingMessage,
    ValidationResponse,
    WebhookPayload,
)
from api.schemas.reward import (
    ActivationRequest,
    ActivationResponse,
    DecisionReward,
    RewardBatch,
    RewardBatchResponse,
    RewardRequest,
    RewardResponse,
)

_PARAMETERS = {
    "decision_id": "From the decision's answer.",
    "source": "Name of one of `[[webhook_sources]]`.",
    "event_id": "From the answer to the rank, or as it was named there.",
}

_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "The same request under the same key is done once, and answered alike.",
}

_GA4 = [
    {
        "name": name,
        "in": "query",
        "required": False,
        "schema": {"type": "string"},
        "description": description,
    }
    for name, description in {
        "api_secret": "A key of the service with the scope `ingest`.",
        "measurement_id": "Not looked at.",
    }.items()
]

SCHEMAS = "#/components/schemas/"

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {
        "description": description,
        "content": {MEDIA_TYPE: {"schema": {"$ref": f"{SCHEMAS}ProblemBody"}}},
    }
    for status, description in {
        400: "The body is not JSON.",
        401: "No valid API key.",
        403: "The key lacks the scope.",
        404: "Nothing has that name.",
        409: "It contradicts what was accepted before, or its key was used for something else.",
        413: "The body is too large.",
        415: "The body is compressed otherwise than with gzip.",
        422: "A field breaks a rule.",
        429: "The key sent too many requests.",
        503: "The log cannot be written; send it again.",
    }.items()
}


Bodies = Mapping[str, tuple[type[BaseModel] | None, Any, str]]
"""Body, answer and summary of each path."""

BODIES: dict[str, tuple[type[BaseModel], Any, str]] = {
    DECISIONS: (
        DecisionRequest,
        DecisionResponse | ListResponse,
        "Ask for the next best action, or for a list of them",
    ),
    REWARDS: (RewardRequest, RewardResponse, "Report a reward"),
    REWARDS_BATCH: (RewardBatch, RewardBatchResponse, "Report several rewards"),
    DECISION_REWARD: (
        DecisionReward,
        RewardResponse,
        "Report a reward of one decision",
    ),
    ACTIVATE: (
        ActivationRequest,
        ActivationResponse,
        "Report that a decision was shown",
    ),
    WEBHOOKS: (WebhookPayload, IngestResponse, "Send a signed webhook"),
    GA4: (Measurement, None, "GA4: send events"),
    GA4_DEBUG: (Measurement, ValidationResponse, "GA4: check events, and keep none"),
    BATCH: (TrackingBatch, IngestResponse, "Send several tracking messages"),
    **{
        f"/v1/{kind}": (TrackingMessage, IngestResponse, f"Send a {kind} message")
        for kind in MESSAGE_TYPES
    },
}


def documented(
    hot: HotPath,
    routes: Mapping[str, HotRoute],
    bodies: Bodies = BODIES,
    problems: dict[int | str, dict[str, Any]] = PROBLEMS,
    tag: str | None = None,
) -> APIRouter:
    """The same routes for FastAPI: described in the OpenAPI document, answered by the same code."""
    router = APIRouter()
    for path, (request, response, summary) in bodies.items():
        about = "storefront" if "decision" in path or "reward" in path else "tracking"
        router.add_api_route(
            path,
            _endpoint(hot, routes[path]),
            methods=["POST"],
            status_code=routes[path].status,
            summary=summary,
            operation_id=re.sub(r"\W+", "_", f"post{path}").strip("_"),
            response_model=response,
            responses=problems,
            openapi_extra=_described(path, request),
            tags=[tag or about],
        )
    return router


def schemas(further: Iterable[type[BaseModel]] = ()) -> dict[str, Any]:
    """Schemas of what is read outside of FastAPI, for the OpenAPI document's components."""
    models: set[type[BaseModel]] = {request for request, _, _ in BODIES.values()}
    models |= {ProblemBody, *further}
    _, schema = models_json_schema(
        [(model, "validation") for model in sorted(models, key=lambda model: model.__name__)],
        ref_template=SCHEMAS + "{model}",
    )
    definitions: dict[str, Any] = schema["$defs"]
    return definitions


def _endpoint(hot: HotPath, route: HotRoute) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        answer = await hot.answer(
            route,
            request.path_params,
            request.scope["headers"],
            request.receive,
            request.scope.get("query_string", b""),
        )
        headers = dict(answer.headers or {})
        return Response(answer.body, answer.status, headers, answer.media_type)

    return endpoint


def _described(path: str, body: type[BaseModel] | None) -> dict[str, Any]:
    described: dict[str, Any] = {}
    if body is not None:
        schema = {"$ref": f"{SCHEMAS}{body.__name__}"}
        required = body is not ActivationRequest  # `curl -X POST` says all that there is to say
        content = {"application/json": {"schema": schema}}
        described["requestBody"] = {"required": required, "content": content}
    parameters = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string"},
            "description": _PARAMETERS[name],
        }
        for name in re.findall(r"{(\w+)}", path)
    ]
    if path in (GA4, GA4_DEBUG):
        parameters += _GA4
    elif path in BODIES and path != WEBHOOKS:
        parameters.append(_KEY)
    return described | ({"parameters": parameters} if parameters else {})
