"""Old rows go, and nothing that is folded from them changes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from api.configuration import parse_settings
from api.loop.clock import SystemClock
from api.loop.engine import Engine
from api.retention_settings import RetentionSettings
from api.settings import Settings, SettingsError
from api.worker.retention import DAY_US
from tests.api.loop.test_engine import assert_same, model_of, run
from tests.api.loop.test_erase import act, configured, identify, stored
from tests.api.service import configuration

KEPT = {"events_days": 40, "decisions_days": 40, "dead_letters_days": 40}


class Later(SystemClock):
    """The machine's clock, so many days ahead."""

    def __init__(self, days: int) -> None:
        super().__init__()
        self.days = days

    def wall_us(self) -> int:
        return super().wall_us() + self.days * DAY_US


def retaining(folder: Path, **days: int) -> Settings:
    retention = RetentionSettings(**(days or KEPT))
    return configured(folder).model_copy(update={"retention": retention})


async def lives(engine: Engine, start: int, stop: int) -> None:
    for number in range(start, stop):
        await act(engine, f"v{number % 5}", number)
    assert engine.learner is not None
    await engine.learner.drain()


async def expire(engine: Engine, days: int = 50) -> dict[str, int]:
    """What goes when that many days have passed and windows were seen to close."""
    later = Later(days)
    engine.retention._clock = later
    rewards = {name: placement.reward for name, placement in engine.placements.items()}
    await engine.store.close_windows(later.now_us(), rewards, 1000)
    assert engine.learner is not None
    await engine.learner.drain()
    return await engine.retention.run_once()


def state_of(engine: Engine) -> dict[str, Any]:
    return {
        "profiles": dict(engine.pipeline._profiles),
        "population": engine.pipeline.population_state(),
        "links": dict(engine.pipeline._identities.links),
        "showings": dict(engine.shown.exposures._histories),
    }


async def both(engine: Engine) -> tuple[dict[str, Any], dict[str, Any]]:
    return state_of(engine), model_of(engine)


@pytest.mark.parametrize("kill", [True, False])
def test_a_restart_without_the_old_rows_comes_to_the_same_state(tmp_path: Path, kill: bool) -> None:
    made = retaining(tmp_path)

    async def work(engine: Engine) -> tuple[dict[str, Any], dict[str, Any]]:
        await lives(engine, 0, 60)
        await identify(engine, "v0", "v1")
        with pytest.raises(ValueError, match="must be one of"):
            await engine.intake.one({"userId": "v2"}, "no such type", body_bytes=100)
        gone = await expire(engine)
        assert gone["decisions"] == 60
        assert gone["dead_letters"] == 1
        assert gone["events"] == 0  # every one of them was a reward's, when it was its turn
        assert (await engine.retention.run_once())["events"] == 60
        await lives(engine, 60, 80)
        return await both(engine)

    before = run(made, work, kill=kill)
    assert stored(tmp_path, "SELECT count(*) FROM decisions") == [(20,)]
    assert stored(tmp_path, "SELECT name FROM events ORDER BY seq LIMIT 1") == [("Identified",)]
    state, model = run(made, both)
    assert state == before[0]
    assert_same(model, before[1])


def test_what_no_snapshot_covers_stays(tmp_path: Path) -> None:
    made = retaining(tmp_path)

    async def work(engine: Engine) -> None:
        await lives(engine, 0, 10)
        covered = engine.retention._about_to_be_covered()
        later = Later(50).now_us()
        rewards = {name: placement.reward for name, placement in engine.placements.items()}
        await engine.store.close_windows(later, rewards, 1000)  # rewards that nobody learned yet
        for changed in (
            covered._replace(rewards={"home": 0}),
            covered._replace(decisions=0),
        ):
            step = await engine.store.expire("decisions", later, changed, (0, 0), 100)
            assert step.n_rows == 0
        step = await engine.store.expire("events", later, covered._replace(events=0), (0, 0), 100)
        assert step.n_rows == 0

    run(made, work)


def test_an_open_window_keeps_its_decision(tmp_path: Path) -> None:
    async def work(engine: Engine) -> None:
        await lives(engine, 0, 5)
        engine.retention._clock = Later(50)  # of the clock alone: no window was seen to close
        assert (await engine.retention.run_once())["decisions"] == 0

    run(retaining(tmp_path), work)


def test_a_refund_of_a_kept_decision_is_exact_however_old_its_order(tmp_path: Path) -> None:
    made = retaining(tmp_path, events_days=40)

    async def work(engine: Engine) -> float:
        await act(engine, "bob", 1)
        await engine.intake.one(
            {"userId": "bob", "messageId": "plain", "type": "page"}, "page", body_bytes=100
        )
        assert await expire(engine) == {"answers": 0, "outbox": 1, "events": 1}
        refund = {
            "userId": "bob",
            "event": "Order Refunded",
            "messageId": "refund",
            "properties": {"order_id": "o-bob-1"},
        }
        await engine.intake.one(refund, "track", body_bytes=100)
        assert engine.learner is not None
        await engine.learner.drain()
        return engine.placements["home"].reward_sum

    np.testing.assert_allclose(run(made, work), 0.0, atol=1e-12)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"retention": {"events_days": 30}}, r"more than events\.max_age_days, which is 30"),
        ({"retention": {"decisions_days": 29}}, "late events find no decision"),
        (
            {
                "retention": {"decisions_days": 60},
                "limits": [{"kind": "content", "times": 1, "days": 90}],
            },
            "look back 90 days",
        ),
        (
            {"retention": {"dead_letters_days": 5}, "service": {"clock": "replay"}},
            "nothing is old",
        ),
        ({"retention": {"event_days": 5}}, "did you mean 'events_days'"),
    ],
)
def test_what_cannot_be_kept_exact_is_refused(changes: dict[str, Any], rule: str) -> None:
    with pytest.raises(SettingsError, match=rule):
        parse_settings(configuration(**changes))
