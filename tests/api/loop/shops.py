"""A shop with a placement of every kind, and visitors who come in every way."""

import random
from pathlib import Path
from typing import Any

from api.configuration import parse_settings
from api.loop.engine import Engine
from api.schemas.decision import CandidateAction, DecisionRequest, SlotRequest
from api.schemas.reward import DecisionReward
from api.settings import Settings
from policy.bandits.build import POLICY_KINDS

REWARD = {"match": "category", "window_minutes": 60}
COMMON = {
    "actions": ["tea", "salt", "beef"],
    "default": "salt",
    "context": {"device": ["mobile", "desktop"], "hour": "number"},
    "reward": REWARD,
}
PRICED = {
    "name": "priced",
    "actions": ["pad"],
    "default": "pad",
    "context": {"hour": "number"},
    "price_range": {"min_cents": 500, "max_cents": 1500, "step_cents": 10, "n_bins": 4},
    "price": {"largest_step": 0.2, "sticky_hours": 0.02},
    "holdout": {"share": 0.2},
}
OTHERS: list[dict[str, Any]] = [
    {"name": "rivals", "policy": {"kind": "linucb"}, "challenger": {"kind": "lints", "share": 0.3}},
    {"name": "held", "policy": {"kind": "linucb"}, "holdout": {"share": 0.4}},
    {"name": "never", "condition": "context.hour > 99"},
]
PLACEMENTS = [
    *({"name": kind, "policy": {"kind": kind}, **COMMON} for kind in POLICY_KINDS),
    *({**COMMON, **other} for other in OTHERS),
    PRICED,
]
ACTIONS = [
    {"id": name, "category": name, "features": {"price": price}, "cost_cents": 100}
    for name, price in (("tea", 0.1), ("salt", 0.2), ("beef", 0.9))
] + [{"id": "pad", "kind": "price", "price_cents": 990}]
BUDGET = {
    "name": "coupons", "amount_cents": 20_000, "period_days": 365, "costs": {"tea": 70, "beef": 90},
    "hold_minutes": 60,
}  # fmt: skip


def shop(folder: Path, placements: list[dict[str, Any]] | None = None, **more: Any) -> Settings:
    """The settings of a shop whose store is `s.db` in a folder."""
    return parse_settings(
        {
            "service": {
                "database": str(folder / "s.db"),
                "durability": "crash",
                "snapshot_seconds": 3600,
                "deadline_ms": 30_000,
            },
            "actions": ACTIONS,
            "budgets": [BUDGET],
            "placements": PLACEMENTS if placements is None else placements,
            **more,
        }
    )


async def visit(engine: Engine, name: str, number: int, rng: random.Random) -> list[dict[str, Any]]:
    """A visitor asks for an action, a list, or one of candidates of its own; some are rewarded."""
    request = DecisionRequest(
        visitor=f"v{rng.randrange(9)}", placement=name, context=context(name, number)
    )
    answers: list[dict[str, Any]]
    if name != "priced" and rng.random() < 0.2:
        slots = [SlotRequest(id="a"), SlotRequest(id="b", baseline="tea"), SlotRequest(id="c")]
        slots.append(SlotRequest(id="d"))
        answer = await engine.lists.decide(request.model_copy(update={"slots": slots}))
        answers = [slot["decision"] for slot in answer["slots"] if slot["decision"]]
    else:
        if name == "linucb" and rng.random() < 0.2:
            own = [CandidateAction(id=f"x{i}", features={"price": i / 10}) for i in range(5)]
            request = request.model_copy(update={"actions": own})
        answers = [await engine.decider.decide(request)]
    for answer in answers:
        if rng.random() < 0.7:
            value = float(answer["action"]["id"] == "tea" or rng.random() < 0.3)
            await engine.rewarder.reward(answer["decision_id"], DecisionReward(value=value))
        if rng.random() < 0.1:  # taken back: a correction of what was learned
            back = DecisionReward(value=-1.0, reward_id=f"back-{answer['decision_id']}")
            await engine.rewarder.reward(answer["decision_id"], back)
    return answers


def context(name: str, number: int) -> dict[str, Any]:
    hour = {"hour": number % 24 / 24}
    return hour if name == "priced" else {**hour, "device": "mobile" if number % 2 else "desktop"}


async def open_for(engine: Engine, n_visits: int, seed: int) -> list[str]:
    """So many visits of each placement, with learning in between; the ids of their decisions."""
    rng = random.Random(seed)
    ids = []
    for number in range(n_visits):
        for name in engine.placements:
            ids += [answer["decision_id"] for answer in await visit(engine, name, number, rng)]
        if rng.random() < 0.3 and engine.learner is not None:
            await engine.learner.drain()
    return ids
