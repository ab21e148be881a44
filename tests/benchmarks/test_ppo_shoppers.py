"""The comparison in full worlds: who is compared, on whom, and what is a difference to what."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import ppo_shoppers
from benchmarks.ppo_shoppers import myopic_returns, world_rows
from simulator.experiment.deciders import Fixed
from simulator.scenarios.scenario import load_world


def test_everybody_is_measured_beside_nothing_and_beside_ppo() -> None:
    stands_in = Fixed(np.eye(12)[0])
    rows = {row.policy: row for row in world_rows("steady~1", stands_in, 8, ("linucb",))}
    assert set(rows) >= {"PPO", "nothing", "bandit: linucb", "oracle myopic"}
    assert len(rows) == 4 + len(ppo_shoppers.SHARES)
    # Who does nothing gains nothing over nothing, and what others lose beside it is its lead.
    assert (rows["PPO"].gain, rows["PPO"].low, rows["nothing"].ppo) == (0.0, 0.0, 0.0)
    assert rows["bandit: linucb"].ppo == pytest.approx(-rows["bandit: linucb"].gain)
    assert rows["PPO"].ppo is None


def test_the_myopic_oracle_takes_only_what_reaches_the_shopper() -> None:
    world = load_world("steady").without("in_store")
    assert np.isfinite(myopic_returns(world, 5)).all()
