"""Explanations after the configuration has changed: logged features in the names of today."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from api.configuration import parse_settings
from api.loop.engine import Engine
from api.loop.errors import NotFoundError
from api.schemas.decision import DecisionRequest
from api.schemas.reward import DecisionReward
from tests.api.service import configuration, placement


def run(folder: Path, shop: dict[str, Any], work: Callable[[Engine], Awaitable[Any]]) -> Any:
    """Work on an engine whose store is in the folder."""

    async def inside() -> Any:
        service = {"database": str(folder / "s.db"), "durability": "crash"}
        engine = Engine(parse_settings(configuration(service=service, placements=[shop])))
        await engine.start()
        try:
            return await work(engine)
        finally:
            await engine.stop()

    return asyncio.run(inside())


async def decided_and_rewarded(engine: Engine) -> str:
    """The last of some decisions, all rewarded and learned."""
    for number in range(12):
        request = DecisionRequest(
            visitor=f"v{number}",
            placement="home",
            context={"basket": number / 12, "device": "mobile"},
        )
        decision_id: str = (await engine.decider.decide(request))["decision_id"]
        await engine.rewarder.reward(decision_id, DecisionReward(value=number / 4))
    assert engine.learner is not None
    await engine.learner.drain()
    return decision_id


async def features_of(engine: Engine, decision_id: str) -> set[str]:
    found = await engine.explainer.decision(decision_id)
    return {part["feature"] for row in found["candidates"] for part in row["contributions"]}


def test_it_speaks_of_the_features_of_today(tmp_path: Path) -> None:
    async def first(engine: Engine) -> tuple[str, set[str]]:
        decision_id = await decided_and_rewarded(engine)
        return decision_id, await features_of(engine, decision_id)

    decision_id, before = run(tmp_path, placement(), first)
    assert {"context.basket", "context.device=mobile"} <= before
    shop = placement(context={"hour": "number", "basket": "number"})
    now = run(tmp_path, shop, lambda engine: features_of(engine, decision_id))
    assert "context.basket" in now
    assert not now & {"context.hour", "context.device=mobile", "context.device=desktop"}


def test_a_placement_that_is_gone_cannot_explain(tmp_path: Path) -> None:
    decision_id = run(tmp_path, placement(), decided_and_rewarded)
    with pytest.raises(NotFoundError, match="'home' is not configured any more"):
        run(
            tmp_path, placement(name="moved"), lambda engine: engine.explainer.decision(decision_id)
        )
