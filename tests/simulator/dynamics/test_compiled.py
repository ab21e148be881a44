"""Compiled and plain numpy are one simulator."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.dynamics import step
from simulator.dynamics.draws import shopper_keys
from simulator.dynamics.effects import Effects
from simulator.dynamics.shopper import buffers_for, newborn
from simulator.dynamics.world import World

pytest.importorskip("numba", reason="needs pip install 'segue[train]'")


@pytest.mark.parametrize("n_shoppers", [1, 7, 600])
def test_the_compiled_step_gives_the_same_bits(n_shoppers: int) -> None:
    from simulator.dynamics import compiled

    world, shoppers = World(effects=Effects(drift=0.01)), np.arange(n_shoppers)
    keys, traits = shopper_keys(5, shoppers), world.population.traits(5, shoppers)
    plain, fast, moving = (newborn(n_shoppers) for _ in range(3))
    buffers = buffers_for(moving)
    rng = np.random.default_rng(0)
    for _ in range(150):
        action = rng.integers(0, world.n_actions, n_shoppers)
        plain, expected = step.advance(world, traits, plain, action, keys)
        fast, outcome = compiled.advance(world, traits, fast, action, keys)
        compiled.advance(world, traits, moving, action, keys, buffers)
        assert (outcome == expected).all()
        assert (moving == fast).all()
        assert (fast == plain).all()
