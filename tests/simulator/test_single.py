"""A single shopper has the bits of a slot among many, over floats and compiled."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import single
from simulator.crowd import Crowd
from simulator.dynamics import exponential
from simulator.dynamics.draws import shopper_keys, uniforms, uniforms_of_one
from simulator.dynamics.effects import Effects
from simulator.dynamics.world import World
from simulator.errors import ActionError
from simulator.scenarios.scenario import load_world
from simulator.single import Single

if TYPE_CHECKING:
    from simulator.single import AdvanceOne

EVENTFUL = Effects(intent=1.0, opt_out=0.1, returned=0.3, return_rate=0.3, drift=0.003)
WORLDS = {
    "eventful": replace(load_world("holiday-peak"), effects=EVENTFUL),
    "price-war": load_world("price-war~3"),
}


def follow(world: World, advance: AdvanceOne, n_days: int) -> None:
    """The shopper of slot 2 alone, and among five, under random allowed actions."""
    crowd, alone, rng = Crowd(world, 5, seed=9), Crowd(world, 1, seed=9), np.random.default_rng(0)
    alone.start(9, first=2)
    one = Single(alone, advance)
    one.meet()
    for _ in range(n_days):
        allowed = crowd.mask()
        assert (one.mask() == allowed[2]).all()
        actions = (rng.random(allowed.shape) * allowed).argmax(1)
        happened = one.live(int(actions[2]))
        assert happened.tobytes() == np.stack(crowd.live(actions))[:, 2].tobytes()
        for mine, theirs in ((alone.state, crowd.state), (alone.sums, crowd.sums)):
            assert mine[:, 0].tobytes() == theirs[:, 2].tobytes()
        assert one.observation().tobytes() == crowd.observation()[2].tobytes()


@pytest.mark.parametrize("name", WORLDS)
def test_over_floats_the_bits_are_the_same(name: str) -> None:
    follow(WORLDS[name], single.advance, 150)


@pytest.mark.parametrize("name", WORLDS)
def test_compiled_the_bits_are_the_same(name: str) -> None:
    pytest.importorskip("numba", reason="needs pip install 'segue[train]'")
    from simulator.single_compiled import advance

    follow(WORLDS[name], advance, 400)


@given(st.floats(-800.0, 800.0))
def test_the_exponential_of_a_number_is_that_of_an_array(x: float) -> None:
    assert single.exp(x) == exponential.exp(np.array([x]))[0]


@given(st.integers(0, 2**62), st.integers(0, 2**40), st.integers(0, 36_400))
def test_one_shoppers_draws_are_those_of_many(seed: int, shopper: int, day: int) -> None:
    keys = shopper_keys(seed, np.array([shopper]))
    assert uniforms_of_one(keys[0], day, 16) == uniforms(keys, np.array([day]), 16)[:, 0].tolist()


def test_what_cannot_be_done_is_refused_and_nothing_happened() -> None:
    crowd = Crowd(World(effects=Effects(opt_out=1.0)), 1)
    one = Single(crowd, single.advance)
    one.meet()
    while one.mask().all():
        one.live(1)
    day = crowd.state[0, 0]
    for action, told in (
        (1, "is masked"),
        (12, "must be from 0 to 11"),
        (-1, "from 0"),
        (0.5, "whole"),
    ):
        with pytest.raises(ActionError, match=told):
            one.live(action)  # type: ignore[arg-type]  # what is refused
    assert crowd.state[0, 0] == day
