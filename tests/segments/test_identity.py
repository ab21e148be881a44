import pytest

from segments.errors import IdentityError
from segments.event import Event
from segments.identity import Identities, claimed_alias
from segments.pipeline import Pipeline
from tests.segments.strategies import NOW, START, order, viewed


def identified(message_id, anonymous, user):
    return Event(message_id, "Identified", user, START, anonymous_id=anonymous, user_id=user)


def test_chains_are_followed_to_their_end():
    identities = Identities()
    identities.link("a", "b", 1)
    identities.link("b", "c", 2)
    assert [identities.resolve(x) for x in "abcd"] == ["c", "c", "c", "d"]


def test_a_circle_is_refused():
    identities = Identities()
    identities.link("a", "b", 1)
    with pytest.raises(IdentityError, match="circle"):
        identities.link("b", "a", 2)
    assert identities.resolve("a") == "b"


def test_only_identify_and_alias_link():
    assert claimed_alias(identified("m", "anon-1", "ann")) == "anon-1"
    assert claimed_alias(viewed(anonymous_id="anon-1", user_id="ann")) is None
    alias = Event("m", "Aliased", "ann", START, previous_id="old", user_id="ann")
    assert claimed_alias(alias) == "old"


def test_signing_in_merges_what_was_done_before_and_what_comes_after():
    pipeline = Pipeline()
    pipeline.observe(order("m1", "anon-1", total_cents=500), 1)
    pipeline.observe(order("m2", "ann", total_cents=700), 2)
    assert pipeline.observe(identified("m3", "anon-1", "ann"), 3) == "ann"
    assert pipeline.observe(order("m4", "anon-1", total_cents=800), 4) == "ann"
    summary = pipeline.profile_summary("anon-1", NOW)
    assert (summary.visitor, summary.orders, summary.revenue_cents) == ("ann", 3, 2_000)
    assert list(pipeline.visitors()) == ["ann"]


def test_a_shared_device_moves_on_but_never_merges_its_users():
    pipeline = Pipeline()
    pipeline.observe(order("m1", "ann"), 1)
    pipeline.observe(order("m2", "bob"), 2)
    pipeline.observe(identified("m3", "tablet", "ann"), 3)
    pipeline.observe(identified("m4", "tablet", "bob"), 4)
    assert pipeline.resolve("tablet") == "bob"
    assert [pipeline.profile_summary(x, NOW).orders for x in ("ann", "bob")] == [1, 1]


def test_an_alias_back_and_forth_is_no_circle():
    pipeline = Pipeline()
    for seq, (old, new) in enumerate((("ann", "bob"), ("bob", "ann"), ("ann", "bob"))):
        event = Event(f"m{seq}", "Aliased", new, START, previous_id=old, user_id=new)
        pipeline.observe(event, seq)
    assert pipeline.resolve("ann") == pipeline.resolve("bob") == "bob"
