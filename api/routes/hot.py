"""The routes that pages and trackers call: decisions, rewards, events.

Each is declared once here; `api.hot` serves it, and `documented` makes FastAPI describe it.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from time import perf_counter
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from pydantic_core import from_json, to_json

from api.hot import OWNER, HotPath, HotRoute
from api.loop.engine import Engine
from api.loop.intake import report
from api.loop.reward_batch import reward_batch
from api.problems import MEDIA_TYPE, Problem, ProblemBody
from api.schemas.decision import DecisionRequest, DecisionResponse, ListResponse
from api.schemas.ingest import IngestResponse, TrackingBatch, TrackingMessage
from api.schemas.reward import (
    ActivationRequest,
    ActivationResponse,
    DecisionReward,
    RewardBatch,
    RewardBatchResponse,
    RewardRequest,
    RewardResponse,
)

MESSAGE_TYPES = ("track", "identify", "page", "screen", "group", "alias")

_PARAMETERS = {
    "decision_id": "From the decision's answer.",
    "event_id": "From the answer to the rank, or as it was named there.",
}

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
        409: "It contradicts what was accepted before.",
        413: "The body is too large.",
        415: "The body is compressed otherwise than with gzip.",
        422: "A field breaks a rule.",
        429: "The key sent too many requests.",
        503: "The log cannot be written; send it again.",
    }.items()
}


def hot_routes(engine: Engine) -> dict[str, HotRoute]:
    """The hot routes by path."""
    decide, fill = engine.decider.decide, engine.lists.decide
    stage = engine.metrics.stages.note
    parse_decision = DecisionRequest.__pydantic_validator__.validate_json
    parse_reward = RewardRequest.__pydantic_validator__.validate_json
    parse_reward_batch = RewardBatch.__pydantic_validator__.validate_json
    parse_decision_reward = DecisionReward.__pydantic_validator__.validate_json
    parse_activation = ActivationRequest.__pydantic_validator__.validate_json
    parse_batch = TrackingBatch.__pydantic_validator__.validate_json

    async def decisions(body: bytes, parameters: Mapping[str, str]) -> bytes:
        started = perf_counter()
        request = parse_decision(body)
        stage("parse", perf_counter() - started)
        answer = decide if request.slots is None else fill
        return to_json(await answer(request, parameters.get(OWNER)))

    async def rewards(body: bytes, parameters: Mapping[str, str]) -> bytes:
        request = parse_reward(body)
        owner = parameters.get(OWNER)
        answer = await engine.rewarder.reward(request.decision_id, request, owner)
        engine.notify_rewards()
        return to_json(answer)

    async def rewards_batch(body: bytes, parameters: Mapping[str, str]) -> bytes:
        reported = parse_reward_batch(body).rewards
        results = await reward_batch(engine.rewarder, reported, parameters.get(OWNER))
        engine.notify_rewards()
        return RewardBatchResponse(results=results).model_dump_json().encode()

    async def decision_reward(body: bytes, parameters: Mapping[str, str]) -> bytes:
        request = parse_decision_reward(body)
        owner = parameters.get(OWNER)
        answer = await engine.rewarder.reward(parameters["decision_id"], request, owner)
        engine.notify_rewards()
        return to_json(answer)

    async def activate(body: bytes, parameters: Mapping[str, str]) -> bytes:
        activation = parse_activation(body or b"{}")
        owner = parameters.get(OWNER)
        answer = await engine.rewarder.activate(parameters["decision_id"], activation, owner)
        engine.notify_rewards()
        return to_json(answer)

    async def batch(body: bytes, _: Mapping[str, str]) -> bytes:
        request = parse_batch(body)
        appended, rejected = await engine.intake.batch(request.batch, request.sentAt, len(body))
        return to_json(report(appended, rejected))

    def message(kind: str) -> Callable[[bytes, Mapping[str, str]], Awaitable[bytes]]:
        async def one(body: bytes, _: Mapping[str, str]) -> bytes:
            appended = await engine.intake.one(_json(body), kind, len(body))
            return to_json(report(appended))

        return one

    routes = [
        HotRoute("/v1/decisions", "decide", decisions),
        HotRoute("/v1/rewards", "reward", rewards),
        HotRoute("/v1/rewards/batch", "reward", rewards_batch),
        HotRoute("/v1/decisions/{decision_id}/reward", "reward", decision_reward),
        HotRoute("/v1/decisions/{decision_id}/activate", "reward", activate),
        HotRoute("/v1/batch", "ingest", batch),
        *(HotRoute(f"/v1/{kind}", "ingest", message(kind)) for kind in MESSAGE_TYPES),
    ]
    return {route.path: route for route in routes}


Bodies = Mapping[str, tuple[type[BaseModel] | None, Any, str]]
"""Body, answer and summary of each path."""

BODIES: dict[str, tuple[type[BaseModel], Any, str]] = {
    "/v1/decisions": (
        DecisionRequest,
        DecisionResponse | ListResponse,
        "Ask for the next best action, or for a list of them",
    ),
    "/v1/rewards": (RewardRequest, RewardResponse, "Report a reward"),
    "/v1/rewards/batch": (RewardBatch, RewardBatchResponse, "Report several rewards"),
    "/v1/decisions/{decision_id}/reward": (
        DecisionReward,
        RewardResponse,
        "Report a reward of one decision",
    ),
    "/v1/decisions/{decision_id}/activate": (
        ActivationRequest,
        ActivationResponse,
        "Report that a decision was shown",
    ),
    "/v1/batch": (TrackingBatch, IngestResponse, "Send several tracking messages"),
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
            route, request.path_params, request.scope["headers"], request.receive
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
    return described | ({"parameters": parameters} if parameters else {})


def _json(body: bytes) -> object:
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise Problem(400, "malformed-json", f"the body is not JSON: {error}") from None
