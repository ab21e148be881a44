"""Builders of trials: a shop where tea is bought and nothing else, policies that know or do not.

The bold one shows tea as soon as it has learned anything, the blind one shows all alike.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from api.configuration import parse_settings
from api.loop.engine import Engine
from api.schemas.decision import DecisionRequest
from api.schemas.reward import DecisionReward
from api.settings import Settings

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
BOLD = {"kind": "epsilon_greedy", "epsilon": 0.05}
BLIND = {"kind": "epsilon_greedy", "epsilon": 1.0}
PROMOTION = {"alpha": 0.05}


def shop(
    folder: Path,
    policy: dict[str, Any] = BLIND,
    promotion: dict[str, Any] | None = PROMOTION,
    **placement: Any,
) -> dict[str, Any]:
    """Its configuration, in a year that requests name."""
    made = {
        "name": "home",
        "actions": ["tea", "salt", "beef"],
        "default": "salt",
        "context": {"hour": "number"},
        "policy": policy,
        "reward": {"window_minutes": 1},
        **({} if promotion is None else {"promotion": promotion}),
        **placement,
    }
    return {
        "service": {
            "database": str(folder / "segue.db"),
            "snapshot_seconds": 3600,
            "deadline_ms": 30_000,
            "durability": "crash",
            "clock": "replay",
        },
        "actions": [{"id": name} for name in ("tea", "salt", "beef")],
        "placements": [made],
    }


def settings(folder: Path, policy: dict[str, Any] = BLIND, **changes: Any) -> Settings:
    """The same, checked."""
    return parse_settings(shop(folder, policy, **changes))


async def visit(engine: Engine, number: int) -> dict[str, Any]:
    """The decision of the next visitor, ten seconds after the one before."""
    request = DecisionRequest(
        visitor=f"v{number}",
        placement="home",
        context={"hour": number % 24 / 24},
        timestamp=START + timedelta(seconds=10 * number),
    )
    return await engine.decider.decide(request)


async def buy(engine: Engine, answer: dict[str, Any]) -> None:
    """Tea where it was shown."""
    reward = DecisionReward(value=float(answer["action"]["id"] == "tea"))
    await engine.rewarder.reward(answer["decision_id"], reward)


async def visits(engine: Engine, start: int, stop: int) -> list[dict[str, Any]]:
    """Visitors who buy tea where it is shown; all of it is learned."""
    answers = []
    for number in range(start, stop):
        answers.append(await visit(engine, number))
        await buy(engine, answers[-1])
        if number % 20 == 19 and engine.learner is not None:
            await engine.learner.drain()
    return answers


async def judge(engine: Engine) -> None:
    """Windows are closed as far as time went, and the gate looks at what is settled."""
    await engine._close_due_windows()
    await engine.gatekeeper.run_once()
