"""One visitor's exposures: bounded, and they answer as the whole log would."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.catalog.history import (
    MOST_PRICES,
    MOST_SHOWINGS,
    Exposure,
    History,
    PriceSeen,
    concerns,
    covered_seq,
    decode,
    encode,
    fits,
    price_key,
)
from policy.catalog.limit import DAY_US, Limit, Tracked
from tests.policy.catalog.shown import LIMITS, TRACKED, logs

MARK = TRACKED.fingerprint


def folded(log, tracked=TRACKED, seq=-1):
    history = History(seq)
    for exposure in log:
        history.add(exposure, tracked)
    return history


def price(cents, at_us, placement="home", of=None):
    return Exposure(placement, "p", "price", None, cents, of, at_us)


@given(logs, st.integers(10 * DAY_US, 16 * DAY_US))
def test_it_answers_as_the_whole_log_would(log, now_us):
    expected = {}
    for scope, number in TRACKED.index.items():
        times_us = [one.at_us for one in log if scope in one.scopes]
        for limit in LIMITS[scope]:
            verdict = limit.verdict(times_us, now_us)
            if verdict is not None:
                expected.setdefault(number, verdict)
    assert folded(log).verdicts(TRACKED, now_us) == expected


@given(logs.flatmap(lambda log: st.tuples(st.just(log), st.permutations(log))))
def test_the_order_of_exposures_does_not_matter_to_limits(logs_of_one):
    one, other = map(folded, logs_of_one)
    assert one.times_us == other.times_us


@given(logs, st.integers(-1, 10**9))
def test_encoding_round_trips_bit_for_bit(log, seq):
    data = encode(folded(log, seq=seq), MARK)
    assert fits(data, MARK)
    assert covered_seq(data) == decode(data).seq == seq
    assert encode(decode(data), MARK) == data


@given(logs)
def test_cut_and_foreign_bytes_do_not_fit(log):
    data = encode(folded(log), MARK)
    for broken in (b"", data[:10], data[:-1], data + b"x"):
        assert not fits(broken, MARK)
    assert not fits(data, MARK ^ 1)


@given(logs, logs, st.integers(10 * DAY_US, 16 * DAY_US))
def test_two_ids_of_one_person_answer_as_one(mine, theirs, now_us):
    both = folded(mine)
    both.absorb(folded(theirs))
    one = folded(sorted([*mine, *theirs], key=lambda exposure: exposure.at_us))
    assert both.verdicts(TRACKED, now_us) == one.verdicts(TRACKED, now_us)


def test_a_price_counts_from_its_first_showing_until_its_period_is_over():
    key = price_key("home", None)
    history = folded([price(900, 5), price(900, 7)])
    assert history.prices == {key: PriceSeen(900, since_us=5, last_us=7)}
    history.add(price(900, 5 + DAY_US), TRACKED)
    assert history.prices[key].since_us == 5 + DAY_US
    history.add(price(990, 6 + DAY_US), TRACKED)
    assert history.prices[key] == PriceSeen(990, 6 + DAY_US, 6 + DAY_US)


def test_prices_of_other_things_and_places_are_apart():
    history = folded([price(900, 5, of="p1"), price(800, 6, of="p2"), price(700, 7, "cart")])
    seen = {price_key("home", "p1"): 900, price_key("home", "p2"): 800}
    assert {key: one.price_cents for key, one in history.prices.items()} == seen
    assert not concerns(price(700, 7, "cart"), TRACKED)


def test_of_two_ids_the_price_seen_later_counts():
    mine, theirs = folded([price(900, 5)]), folded([price(990, 6)])
    mine.absorb(theirs)
    assert mine.prices[price_key("home", None)].price_cents == 990
    theirs.absorb(folded([price(900, 5)]))
    assert theirs.prices[price_key("home", None)].price_cents == 990


def test_memory_is_bounded_by_the_latest():
    tracked = Tracked(
        {("action", f"a{n}"): [Limit(1_000, 3_650)] for n in range(3)}, {"home": DAY_US}
    )
    history = History()
    for at_us in range(3_000):
        for shown in (f"a{at_us % 3}", "b"):
            history.add(Exposure("home", shown, "price", None, 9, f"p{at_us % 50}", at_us), tracked)
    data = encode(history, tracked.fingerprint)
    kept = decode(data)
    assert sum(map(len, kept.times_us.values())) == MOST_SHOWINGS
    assert min(time_us for times in kept.times_us.values() for time_us in times) == 1_000
    assert len(kept.prices) == MOST_PRICES
    assert min(price.last_us for price in kept.prices.values()) == 3_000 - MOST_PRICES


@pytest.mark.parametrize("kind", ["message", None])
def test_what_no_rule_asks_is_not_kept(kind):
    shown = Exposure("cart", "salt", kind, "push", None, None, 5)
    assert concerns(shown, TRACKED) == (kind == "message")
    assert bool(folded([shown])) == (kind == "message")
