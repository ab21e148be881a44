"""What visitors agreed to: the latest word counts, in whatever order words arrive."""

from array import array
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segments.consent import MAX_PURPOSES, Consents
from segments.event import Event
from segments.pipeline import Pipeline
from tests.segments.strategies import NOW, START

words = st.lists(
    st.tuples(st.sampled_from(("email", "push", "Advertising")), st.booleans(), st.integers(1, 9)),
    max_size=8,
)


def heard(said):
    consents = Consents(array("Q"), array("d"))
    for purpose, granted, seconds in said:
        consents.say(purpose, granted, float(seconds))
    return consents


def event(name="Page Viewed", number=0, visitor="ann", **more):
    return Event(f"m{number}", name, visitor, START + timedelta(hours=number), **more)


@given(words)
def test_the_latest_word_counts_and_at_one_instant_the_no(said):
    consents = heard(said)
    for purpose in ("email", "push", "Advertising", "other"):
        own = [(seconds, not granted) for name, granted, seconds in said if name == purpose]
        expected = None if not own else not max(own)[1]
        assert consents.said(purpose) is expected


@given(words.flatmap(lambda said: st.tuples(st.just(said), st.permutations(said))))
def test_the_order_of_words_does_not_matter(orders):
    one, other = map(heard, orders)
    assert (one.keys, one.moments) == (other.keys, other.moments)


@given(words, words)
def test_two_ids_of_one_person_agreed_to_both(mine, theirs):
    both = heard(mine)
    both.merge(heard(theirs))
    one = heard([*mine, *theirs])
    assert (both.keys, both.moments) == (one.keys, one.moments)


def test_only_the_latest_purposes_are_kept():
    consents = heard([(f"p{n}", True, n + 1) for n in range(MAX_PURPOSES + 5)])
    assert len(consents.keys) == MAX_PURPOSES
    assert consents.said("p4") is None
    assert consents.said("p5") is True


def test_a_profile_keeps_what_events_say():
    pipeline = Pipeline()
    pipeline.observe(event(number=1, consent=(("Advertising", True), ("push", False))), 1)
    look = pipeline.look("ann", NOW)
    assert (look.consent("Advertising"), look.consent("push")) == (True, False)
    assert look.consent("email") is None
    assert pipeline.look("bob", NOW).consent("push") is None


@pytest.mark.parametrize("name", ["Unsubscribed", "Email Marked as Spam"])
def test_to_unsubscribe_is_a_no_to_email_until_it_is_granted_again(name):
    pipeline = Pipeline()
    pipeline.observe(event(number=1, consent=(("email", True),)), 1)
    pipeline.observe(event(name, 2), 2)
    assert pipeline.look("ann", NOW).consent("email") is False
    pipeline.observe(event(number=3, consent=(("email", True),)), 3)
    assert pipeline.look("ann", NOW).consent("email") is True


def test_consent_follows_an_identity():
    pipeline = Pipeline()
    pipeline.observe(event(number=1, visitor="anon", consent=(("push", True),)), 1)
    pipeline.observe(event("Identified", 2, visitor="ann", user_id="ann", anonymous_id="anon"), 2)
    assert pipeline.look("ann", NOW).consent("push") is True
    assert pipeline.look("anon", NOW).consent("push") is True


def test_features_read_back_in_natural_units():
    pipeline = Pipeline()
    for number in range(3):
        pipeline.observe(event("Order Completed", number, revenue_cents=1_234), number)
    look = pipeline.look("ann", NOW)
    natural = {name: look.natural(i) for i, name in enumerate(pipeline.feature_names)}
    assert natural["orders"] == pytest.approx(3, rel=1e-12)
    assert natural["revenue_cents"] == pytest.approx(3 * 1_234, rel=1e-12)
    assert natural["known"] == 1.0
