"""The routes that pages and trackers call: decisions, rewards, events.

Each is declared once here; `api.hot` serves it, and `api.routes.hot` makes FastAPI describe it.
"""

from collections.abc import Callable, Mapping
from time import perf_counter

from pydantic_core import from_json, to_json

from api.hot import IDEMPOTENCY_KEY, OWNER, Handler, HotRoute
from api.idempotency import keyed_request
from api.loop.engine import Engine
from api.loop.intake import report
from api.loop.measurements import API_SECRET, Measurements
from api.loop.reward_batch import reward_batch
from api.problems import Problem
from api.schemas.decision import DecisionRequest
from api.schemas.ingest import TrackingBatch
from api.schemas.reward import (
    ActivationRequest,
    DecisionReward,
    RewardBatch,
    RewardBatchResponse,
    RewardRequest,
)
from api.storage.keyed import KeyedRequest, Told
from api.webhooks.receive import HEADERS, Sources

DECISIONS, REWARDS, REWARDS_BATCH = "/v1/decisions", "/v1/rewards", "/v1/rewards/batch"
DECISION_REWARD = "/v1/decisions/{decision_id}/reward"
ACTIVATE = "/v1/decisions/{decision_id}/activate"
BATCH, WEBHOOKS = "/v1/batch", "/v1/webhooks/{source}"
GA4, GA4_DEBUG = "/mp/collect", "/debug/mp/collect"
MESSAGE_TYPES = ("track", "identify", "page", "screen", "group", "alias")

Once = Callable[[str, bytes, Mapping[str, str]], KeyedRequest | None]
"""From route, body and parameters to the request under its key, where it has one."""


def hot_routes(engine: Engine) -> dict[str, HotRoute]:
    """The hot routes by path."""

    def once(path: str, body: bytes, parameters: Mapping[str, str]) -> KeyedRequest | None:
        key = parameters.get(IDEMPOTENCY_KEY)
        if key is None:
            return None
        owner, about = parameters.get(OWNER), parameters.get("decision_id", "")
        return keyed_request(key, owner, path, about, body, engine.clock.now_us())

    routes = [
        *_decisions(engine, once),
        *_rewards(engine, once),
        *_rewards_of_one(engine, once),
        *_events(engine, once),
        _webhooks(engine),
        *_measurements(engine),
    ]
    return {route.path: route for route in routes}


def _decisions(engine: Engine, once: Once) -> list[HotRoute]:
    decide, fill = engine.decider.decide, engine.lists.decide
    parse = DecisionRequest.__pydantic_validator__.validate_json
    stage = engine.metrics.stages.note

    async def decisions(body: bytes, parameters: Mapping[str, str]) -> bytes:
        started = perf_counter()
        request, keyed = parse(body), once(DECISIONS, body, parameters)
        stage("parse", perf_counter() - started)
        answer = decide if request.slots is None else fill
        return to_json(await answer(request, parameters.get(OWNER), keyed))

    return [HotRoute(DECISIONS, "decide", decisions)]


def _rewards(engine: Engine, once: Once) -> list[HotRoute]:
    parse = RewardRequest.__pydantic_validator__.validate_json
    parse_batch = RewardBatch.__pydantic_validator__.validate_json

    async def rewards(body: bytes, parameters: Mapping[str, str]) -> bytes:
        request, keyed = parse(body), once(REWARDS, body, parameters)
        owner = parameters.get(OWNER)
        answer = await engine.rewarder.reward(request.decision_id, request, owner, keyed)
        engine.notify_rewards()
        return to_json(answer)

    async def batch(body: bytes, parameters: Mapping[str, str]) -> bytes:
        reported, keyed = parse_batch(body).rewards, once(REWARDS_BATCH, body, parameters)
        if keyed is not None:
            await engine.store.claim(keyed)
        results = await reward_batch(engine.rewarder, reported, parameters.get(OWNER))
        engine.notify_rewards()
        answer = RewardBatchResponse(results=results).model_dump_json().encode()
        if keyed is not None:
            await engine.store.answer(keyed, Told(answer))
        return answer

    return [HotRoute(REWARDS, "reward", rewards), HotRoute(REWARDS_BATCH, "reward", batch)]


def _rewards_of_one(engine: Engine, once: Once) -> list[HotRoute]:
    parse = DecisionReward.__pydantic_validator__.validate_json
    parse_activation = ActivationRequest.__pydantic_validator__.validate_json

    async def reward(body: bytes, parameters: Mapping[str, str]) -> bytes:
        request, keyed = parse(body), once(DECISION_REWARD, body, parameters)
        decision_id, owner = parameters["decision_id"], parameters.get(OWNER)
        answer = await engine.rewarder.reward(decision_id, request, owner, keyed)
        engine.notify_rewards()
        return to_json(answer)

    async def activate(body: bytes, parameters: Mapping[str, str]) -> bytes:
        request, keyed = parse_activation(body or b"{}"), once(ACTIVATE, body, parameters)
        decision_id, owner = parameters["decision_id"], parameters.get(OWNER)
        answer = await engine.rewarder.activate(decision_id, request, owner, keyed)
        engine.notify_rewards()
        return to_json(answer)

    return [HotRoute(DECISION_REWARD, "reward", reward), HotRoute(ACTIVATE, "reward", activate)]


def _events(engine: Engine, once: Once) -> list[HotRoute]:
    intake = engine.intake
    parse = TrackingBatch.__pydantic_validator__.validate_json

    async def batch(body: bytes, parameters: Mapping[str, str]) -> bytes:
        request, keyed = parse(body), once(BATCH, body, parameters)
        taken = await intake.batch(request.batch, request.sentAt, len(body), keyed)
        return to_json(report(*taken))

    def message(kind: str) -> Handler:
        async def one(body: bytes, parameters: Mapping[str, str]) -> bytes:
            read, keyed = parsed(body), once(f"/v1/{kind}", body, parameters)
            return to_json(report(await intake.one(read, kind, len(body), keyed)))

        return one

    return [
        HotRoute(BATCH, "ingest", batch),
        *(HotRoute(f"/v1/{kind}", "ingest", message(kind)) for kind in MESSAGE_TYPES),
    ]


def _webhooks(engine: Engine) -> HotRoute:
    sources = Sources(engine, parsed)

    async def webhook(body: bytes, parameters: Mapping[str, str]) -> bytes:
        return to_json(report(*await sources.receive(parameters["source"], body, parameters)))

    return HotRoute(WEBHOOKS, "ingest", webhook, takes=HEADERS, signed=True)


def _measurements(engine: Engine) -> list[HotRoute]:
    measurements = Measurements(engine.intake, engine.clock)

    async def collect(body: bytes, _: Mapping[str, str]) -> bytes:
        await measurements.collect(parsed(body))
        return b""

    async def validate(body: bytes, _: Mapping[str, str]) -> bytes:
        return to_json({"validationMessages": measurements.validate(parsed(body))})

    return [
        HotRoute(GA4, "ingest", collect, status=204, key_parameter=API_SECRET),
        HotRoute(GA4_DEBUG, "ingest", validate, key_parameter=API_SECRET),
    ]


def parsed(body: bytes) -> object:
    """A body as JSON.

    Raises:
        Problem: 400 for anything else.
    """
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise Problem(400, "malformed-json", f"the body is not JSON: {error}") from None
