"""Azure Personalizer's routes: the hot ones, and its configuration."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Body
from pydantic import BaseModel
from pydantic_core import to_json

from api.hot import OWNER, HotPath, HotRoute
from api.loop.engine import Engine
from api.personalizer.configuration import (
    placement_of,
    policy_configuration,
    refuse_changes,
    service_configuration,
)
from api.personalizer.events import Events
from api.personalizer.paths import MULTI_SLOT, SINGLE
from api.personalizer.problems import PersonalizerProblemBody, personalizer_body
from api.problems import MEDIA_TYPE
from api.routes import hot
from api.routes.access import needs
from api.routes.readings import Current
from api.schemas.personalizer import (
    EventReward,
    MultiSlotRankRequest,
    MultiSlotRankResponse,
    MultiSlotReward,
    PolicyConfiguration,
    RankRequest,
    RankResponse,
    ServiceConfiguration,
)
from api.settings import Scope

TAG = "personalizer"
BODIES: dict[str, tuple[type[BaseModel] | None, Any, str]] = {
    f"{SINGLE}rank": (RankRequest, RankResponse, "Personalizer: rank actions"),
    f"{SINGLE}events/{{event_id}}/reward": (EventReward, None, "Personalizer: reward an event"),
    f"{SINGLE}events/{{event_id}}/activate": (None, None, "Personalizer: activate an event"),
    f"{MULTI_SLOT}multislot/rank": (
        MultiSlotRankRequest,
        MultiSlotRankResponse,
        "Personalizer: choose an action for each slot",
    ),
    f"{MULTI_SLOT}multislot/events/{{event_id}}/reward": (
        MultiSlotReward,
        None,
        "Personalizer: reward slots of an event",
    ),
    f"{MULTI_SLOT}multislot/events/{{event_id}}/activate": (
        None,
        None,
        "Personalizer: activate an event with slots",
    ),
}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {
        "description": said["description"],
        "content": {MEDIA_TYPE: {"schema": {"$ref": f"{hot.SCHEMAS}PersonalizerProblemBody"}}},
    }
    for status, said in hot.PROBLEMS.items()
}
SCHEMAS: list[type[BaseModel]] = [
    *(request for request, _, _ in BODIES.values() if request is not None),
    PersonalizerProblemBody,
]
router = APIRouter(
    prefix=SINGLE.rstrip("/"),
    tags=[TAG],
    responses={status: PROBLEMS[status] for status in (401, 403, 404)},
)


def hot_routes(engine: Engine) -> dict[str, HotRoute]:
    """The hot routes by path."""
    events = Events(engine)
    parse_rank = RankRequest.__pydantic_validator__.validate_json
    parse_multi_slot = MultiSlotRankRequest.__pydantic_validator__.validate_json
    parse_reward = EventReward.__pydantic_validator__.validate_json
    parse_rewards = MultiSlotReward.__pydantic_validator__.validate_json

    async def rank(body: bytes, parameters: Mapping[str, str]) -> bytes:
        return to_json(await events.rank(parse_rank(body), parameters.get(OWNER)))

    async def multi_slot(body: bytes, parameters: Mapping[str, str]) -> bytes:
        return to_json(await events.rank_slots(parse_multi_slot(body), parameters.get(OWNER)))

    async def reward(body: bytes, parameters: Mapping[str, str]) -> bytes:
        value = parse_reward(body).value
        await events.reward(parameters["event_id"], value, parameters.get(OWNER))
        return b""

    async def rewards(body: bytes, parameters: Mapping[str, str]) -> bytes:
        values = parse_rewards(body)
        await events.reward_slots(parameters["event_id"], values, parameters.get(OWNER))
        return b""

    async def activate(_: bytes, parameters: Mapping[str, str]) -> bytes:
        await events.activate(parameters["event_id"], parameters.get(OWNER))
        return b""

    answering: list[tuple[Scope, Callable[[bytes, Mapping[str, str]], Awaitable[bytes]], int]] = [
        ("decide", rank, 201),
        ("reward", reward, 204),
        ("reward", activate, 204),
        ("decide", multi_slot, 201),
        ("reward", rewards, 204),
        ("reward", activate, 204),
    ]
    return {
        path: HotRoute(path, scope, handler, status, personalizer_body)
        for path, (scope, handler, status) in zip(BODIES, answering, strict=True)
    }


def documented(path: HotPath, routes: Mapping[str, HotRoute]) -> APIRouter:
    """The hot routes for FastAPI."""
    return hot.documented(path, routes, BODIES, PROBLEMS, TAG)


@router.get("/configurations/service", dependencies=[needs("read")])
async def service(engine: Current) -> ServiceConfiguration:
    """Personalizer: how rewards are counted and how much is explored."""
    return service_configuration(placement_of(engine))


@router.put(
    "/configurations/service", dependencies=[needs("admin")], responses={422: PROBLEMS[422]}
)
async def change_service(
    engine: Current, wanted: Annotated[dict[str, Any], Body()]
) -> ServiceConfiguration:
    """Personalizer: the same again; what differs is refused, with where it is set."""
    current = service_configuration(placement_of(engine))
    refuse_changes(current.model_dump(), wanted)
    return current


@router.get("/configurations/policy", dependencies=[needs("read")])
async def policy(engine: Current) -> PolicyConfiguration:
    """Personalizer: which learner decides."""
    return policy_configuration(placement_of(engine))


@router.put("/configurations/policy", dependencies=[needs("admin")], responses={422: PROBLEMS[422]})
async def change_policy(
    engine: Current, wanted: Annotated[dict[str, Any], Body()]
) -> PolicyConfiguration:
    """Personalizer: the same again; what differs is refused, with where it is set."""
    current = policy_configuration(placement_of(engine))
    refuse_changes(current.model_dump(), wanted)
    return current
