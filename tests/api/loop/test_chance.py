"""A decision's randomness is its id's: unguessable, and always the same."""

import numpy as np

from api.loop.chance import Chance, DecisionIds


def test_ids_are_distinct_and_in_the_order_of_time() -> None:
    ids = DecisionIds()
    made = [ids.new(1_700_000_000_000_000 + 1000 * n) for n in range(2000)]
    assert len(set(made)) == 2000
    assert all(len(name) == 32 for name in made)
    assert sorted(made) == made


def test_two_ids_of_one_instant_share_no_chance() -> None:
    ids = DecisionIds()
    assert ids.new(0)[12:] != ids.new(0)[12:]


def test_the_same_id_draws_the_same_whatever_was_drawn_before() -> None:
    chance, name = Chance(), DecisionIds().new(0)
    first = chance.of(name).standard_normal(5)
    chance.of("f" * 32).random(3)
    chance.of(name).integers(10)  # leaves half a word behind, which must not be used
    np.testing.assert_array_equal(chance.of(name).standard_normal(5), first)
    np.testing.assert_array_equal(Chance().of(name).standard_normal(5), first)


def test_draws_of_many_ids_are_uniform() -> None:
    """Mean and deciles of 20,000 first draws; the ids are made from a fixed sequence."""
    chance = Chance()
    draws = np.array([chance.of(f"{n:032x}").random() for n in range(20_000)])
    counts = np.histogram(draws, 10, (0, 1))[0]
    assert ((counts - 2000) ** 2 / 2000).sum() < 27.9  # chi-square, 9 degrees, p = .001
