import json

import pytest
from hypothesis import given

from segments.errors import ProfileError
from segments.event import Product
from segments.features.base import observation
from segments.population import MAX_RECENT, MAX_VALUES, Population
from tests.segments.strategies import histories, order


def counted(history, population=None, first_seq=0):
    population = Population() if population is None else population
    for seq, event in enumerate(history, first_seq):
        population.observe(observation(event), (hash(event.message_id) % 2**64,), seq)
    return population


@given(histories())
def test_stopping_anywhere_and_resuming_gives_the_same_bits(history):
    for cut in range(len(history) + 1):
        resumed = Population.from_state(counted(history[:cut]).state())
        start = resumed.seq + 1
        assert counted(history[start:], resumed, start).state() == counted(history).state()


def test_a_repeat_is_not_counted():
    once = counted([order("m1", products=(Product(category="Tea"),))])
    twice = counted([order("m1", products=(Product(category="Tea"),))] * 2)
    assert once.counts == twice.counts


def test_memory_is_bounded():
    population = Population()
    for i in range(2 * MAX_VALUES + 2):
        line = Product(category=f"c{i}")
        population.observe(observation(order(f"m{i}", products=(line,))), (i,), i)
    assert len(population.counts["category"]) <= 2 * MAX_VALUES
    assert len(json.loads(population.state())["recent_ids"]) == MAX_RECENT


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"\xff", b'{"kind":"population","version":9}', b'{"kind":1}']
)
def test_damaged_state_is_refused(data):
    with pytest.raises(ProfileError, match="replaying the event log"):
        Population.from_state(data)
