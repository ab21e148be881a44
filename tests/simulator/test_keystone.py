"""Training and serving see one world.

What `segments` extracts from the events that a simulated shopper causes is what the environment
observes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from segments.pipeline import Pipeline
from simulator.crowd import Crowd
from simulator.dynamics.effects import Effects
from simulator.dynamics.shopper import Outcome
from simulator.dynamics.world import World
from simulator.events import day_events, morning, visitor_id
from simulator.readings import FEATURES

BUSY = replace(World(), effects=Effects(intent=1.0, return_rate=0.3, returned=0.3, opt_out=0.1))


def test_the_features_have_the_services_names() -> None:
    assert Pipeline.feature_names == FEATURES


@pytest.mark.parametrize("world", [World(), BUSY], ids=["plain", "busy"])
def test_features_of_the_rendered_events_equal_the_observation(world: World) -> None:
    n, rng = 40, np.random.default_rng(0)
    crowd, pipeline, seq, seen = Crowd(world, n, seed=4), Pipeline(), 0, set()
    for day in range(100):
        vectors = [pipeline.describe(visitor_id(i), morning(day)).vector for i in range(n)]
        alive = ~crowd.left
        observed = crowd.observation()
        assert observed[alive] == pytest.approx(np.stack(vectors)[alive], abs=2e-6)
        allowed = crowd.mask() & alive[:, None]
        allowed[:, 0] = True
        actions = (rng.random(allowed.shape) * allowed).argmax(1)
        outcome = np.stack(crowd.live(actions))
        for i in np.flatnonzero(alive):
            action = world.actions[actions[i]]
            for event in day_events(int(i), day, action, outcome[:, i]):
                pipeline.observe(event, seq)
                seen.add(event.name)
                seq += 1
    assert len(seen) >= 13
    assert "Order Refunded" in seen
    assert crowd.left.any()


def test_a_shopper_reports_each_event_once_and_in_order() -> None:
    crowd = Crowd(BUSY, 1, seed=2)
    ids, moments = [], []
    for day in range(120):
        outcome = np.stack(crowd.live(np.zeros(1, np.int64)))
        for event in day_events(0, day, BUSY.actions[0], outcome[:, 0]):
            ids.append(event.message_id)
            moments.append(event.timestamp)
    assert len(ids) == len(set(ids)) > 50
    assert moments == sorted(moments)
    assert Outcome._fields[0] == "reward"
