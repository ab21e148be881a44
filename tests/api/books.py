"""The books of rewards without HTTP: an observer and a rewarder on a real store, time at will."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from api.ingest.segment import parse_message
from api.loop.clock import Clock
from api.loop.observe import Observer
from api.loop.reward import Rewarder
from api.schemas.reward import ActivationRequest, DecisionReward
from api.storage.base import DecisionRow, LearningRow
from api.storage.sqlite import SQLiteStore
from policy.reward.spec import RewardSpec
from segments.pipeline import Pipeline

MINUTE_US = 60_000_000
START = datetime(2026, 3, 1, tzinfo=UTC)
START_US = round(START.timestamp() * 1e6)


class SetClock(Clock):
    """Stands still until it is set."""

    trusts_requests = True

    def __init__(self) -> None:
        self.minute = 0.0

    def now_us(self) -> int:
        return START_US + round(self.minute * MINUTE_US)

    def wall_us(self) -> int:
        return self.now_us()

    def advance(self, us: int) -> None:
        return


class Books:
    """Decisions, events and reports of one store; times are minutes since its first day began."""

    def __init__(self, store: SQLiteStore, specs: Mapping[str, RewardSpec]) -> None:
        self.store, self.specs = store, specs
        self.clock = SetClock()
        pipeline = Pipeline()
        self.observer = Observer(pipeline, store, self.clock, specs, None)
        self.rewarder = Rewarder(pipeline, store, self.clock, specs)
        self.n_messages = 0

    async def decide(
        self, decision_id: str, matched: str | None = "Tea", **changes: Any
    ) -> DecisionRow:
        placement = changes.get("placement", "home")
        now_us = self.clock.now_us()
        row = DecisionRow(
            decision_id=decision_id,
            visitor="ann",
            placement=placement,
            decided_at_us=now_us,
            closes_at_us=now_us + self.specs[placement].window_minutes * MINUTE_US,
            policy_version="home.0@0",
            layout=1,
            segment=None,
            action_id="tea",
            match_value=matched,
            chosen=0,
            probability=0.5,
            reason=None,
            candidates='["tea", "salt"]',
            probabilities=b"\0" * 16,
            context=b"\1" * 8,
            features=b"\2" * 8,
        )._replace(**changes)
        await self.store.append_decision(row)
        return row

    async def track(
        self,
        name: str,
        minute: float,
        message_id: str = "",
        visitor: str = "ann",
        **properties: Any,
    ) -> int:
        """Send an event; returns the number of decisions whose reward it changed."""
        self.n_messages += 1
        message = {
            "type": "track",
            "event": name,
            "userId": visitor,
            "messageId": message_id or f"m{self.n_messages}",
            "timestamp": (START + timedelta(minutes=minute)).isoformat(),
            "properties": properties,
        }
        event = parse_message(message, self.clock.now(), trusts_clocks=True)
        return (await self.observer.observe([event])).n_rewards

    async def report(self, decision_id: str, value: float, reward_id: str | None = None) -> str:
        reward = DecisionReward(value=value, reward_id=reward_id)
        return (await self.rewarder.reward(decision_id, reward))["status"]

    async def activate(self, decision_id: str) -> str:
        return (await self.rewarder.activate(decision_id, ActivationRequest()))["status"]

    async def wait_until(self, minute: float) -> None:
        """Let time pass; windows that are over close."""
        self.clock.minute = minute
        while await self.store.close_windows(self.clock.now_us(), self.specs, 3) == 3:
            pass

    async def rows(self) -> list[LearningRow]:
        return await self.store.rewards_after(0, 10_000)

    async def rewards(self) -> dict[str, list[tuple[float, bool, str]]]:
        """(value, is_first, source) of the rows of each decision, in the order of the log."""
        sql = "SELECT decision_id, value, is_first, source FROM rewards ORDER BY seq"
        found: dict[str, list[tuple[float, bool, str]]] = {}
        for decision_id, value, first, source in await self.store.writer.call(
            lambda connection: connection.execute(sql).fetchall()
        ):
            found.setdefault(decision_id, []).append((value, bool(first), source))
        return found


def keep(folder: Path, work: Callable[[Books], Awaitable[Any]], **specs: RewardSpec) -> Any:
    """Do work on the books of a store in the folder."""

    async def inside() -> Any:
        store = SQLiteStore(folder / "segue.db", "crash")
        store.start(asyncio.get_running_loop())
        try:
            return await work(Books(store, specs))
        finally:
            await store.close()

    return asyncio.run(inside())
