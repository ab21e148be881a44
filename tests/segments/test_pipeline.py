from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segments.cluster.kmeans import fit_kmeans
from segments.errors import IdentityError, ProfileError, SegmentsError
from segments.event import Event, Product
from segments.pipeline import Pipeline
from tests.segments.strategies import (
    NOW,
    START,
    VISITORS,
    histories,
    linked_histories,
    order,
    viewed,
)


def observed(history, pipeline=None, first_seq=0):
    pipeline = Pipeline() if pipeline is None else pipeline
    for seq, event in enumerate(history, first_seq):
        pipeline.observe(event, seq)
    return pipeline


def vectors(pipeline, now=NOW):
    return {visitor: pipeline.describe(visitor, now).vector for visitor in pipeline.visitors()}


def everything(pipeline):
    """All state that counts: profiles, who is who, and the population."""
    ids = (*VISITORS, "dee")
    return (
        dict(pipeline._profiles),
        {visitor: pipeline.resolve(visitor) for visitor in ids},
        pipeline.population_state(),
    )


@given(histories())
def test_online_equals_batch_bit_for_bit(history):
    pipeline = observed(history)
    visitors, matrix = pipeline.matrix(NOW)
    assert visitors == list(pipeline.visitors())
    for visitor, row in zip(visitors, matrix, strict=True):
        assert pipeline.describe(visitor, NOW).vector.tobytes() == row.tobytes()


@given(histories(), st.randoms())
def test_order_and_duplicates_of_events_do_not_change_a_profile(history, random):
    once = vectors(observed(history))
    shuffled = [*history, *history[: len(history) // 2]]
    random.shuffle(shuffled)
    again = vectors(observed(shuffled))
    assert once.keys() == again.keys()
    for visitor, vector in once.items():
        np.testing.assert_allclose(again[visitor], vector, rtol=1e-6, atol=1e-6)


@given(histories(visitors=("ann", "bob")))
def test_a_merge_equals_having_been_one_visitor(history):
    pipeline = observed(history)
    link = Event("link", "Identified", "ann", START, anonymous_id="bob", user_id="ann")
    pipeline.observe(link, 99)
    as_one = [_renamed(event, "ann") for event in history]
    alone = observed([*as_one, _renamed(link, "ann")])
    np.testing.assert_allclose(
        pipeline.describe("bob", NOW).vector,
        alone.describe("ann", NOW).vector,
        rtol=1e-6,
        atol=1e-6,
    )


def _renamed(event, visitor):
    return Event(
        event.message_id,
        event.name if event.name != "Identified" else "Identified",
        visitor,
        event.timestamp,
        channel=event.channel,
        total_cents=event.total_cents,
        discount_cents=event.discount_cents,
        products=event.products,
    )


@settings(max_examples=300)
@given(linked_histories, st.data())
def test_a_restart_at_any_moment_ends_where_no_restart_would(history, data):
    """Saving in small chunks, crashing between any two, and replaying loses and doubles nothing."""
    expected = everything(observed(history))
    store = Store()
    live = Pipeline()
    crash_at = data.draw(st.integers(0, len(history)))
    for seq, event in enumerate(history[:crash_at]):
        live.observe(event, seq)
        if data.draw(st.booleans()):
            store.save(live, chunks=data.draw(st.integers(1, 4)))
    restarted = store.load()
    observed(history[store.population_seq + 1 :], restarted, store.population_seq + 1)
    assert everything(restarted) == expected
    store.save(restarted, chunks=100)
    assert everything(store.load()) == expected


class Store:
    """What the service's storage does with changes, as far as this room can tell."""

    def __init__(self):
        self.profiles, self.aliases, self.population, self.population_seq = {}, {}, None, -1

    def save(self, pipeline, chunks):
        for _ in range(chunks):
            changes = pipeline.take_changes(limit=2)
            for visitor, _seq, data in changes.profiles:
                if data is None:
                    self.profiles.pop(visitor, None)
                else:
                    self.profiles[visitor] = data
            self.aliases.update((alias, link) for alias, *link in changes.aliases)
            if not changes.more:
                self.population = pipeline.population_state()
                self.population_seq = pipeline.population_seq
                return

    def load(self):
        pipeline = Pipeline()
        for visitor, data in self.profiles.items():
            pipeline.load_profile(visitor, data)
        for alias, (visitor, seq) in self.aliases.items():
            pipeline.load_alias(alias, visitor, seq)
        if self.population is not None:
            pipeline.load_population(self.population)
        return pipeline


def test_a_repeated_sequence_number_is_skipped():
    pipeline = observed([order("m1", total_cents=500)])
    before = everything(pipeline)
    pipeline.observe(order("m2", total_cents=900), 0)
    assert everything(pipeline) == before


def test_two_reports_of_one_order_are_one_order():
    pipeline = observed(
        [
            order("pixel", total_cents=500, order_id="o1"),
            order("webhook", total_cents=500, order_id="o1"),
            order("later", total_cents=500, order_id="o2"),
        ]
    )
    assert pipeline.profile_summary("ann", NOW).orders == 2


def test_an_unknown_visitor_gets_a_finite_default_and_leaves_no_trace():
    pipeline = observed([order("m1")])
    context = pipeline.describe("nobody", NOW)
    assert (context.visitor, context.known, context.segment) == ("nobody", False, None)
    assert context.vector.dtype == np.float32
    assert np.isfinite(context.vector).all()
    assert context.vector[pipeline.feature_names.index("known")] == 0.0
    assert pipeline.profile_summary("nobody", NOW) is None
    assert len(pipeline) == 1


def test_describing_changes_nothing():
    pipeline = observed([order("m1"), viewed("m2", "bob")])
    before = everything(pipeline)
    for visitor in ("ann", "bob", "nobody"):
        pipeline.describe(visitor, NOW)
        pipeline.affinities(visitor, "category", ["Tea"], NOW)
    assert everything(pipeline) == before


def test_affinity_is_the_visitors_rate_drawn_towards_the_crowds():
    tea, salt = (Product(category="Tea"),), (Product(category="Salt"),)
    pipeline = observed(
        [order(f"m{i}", "ann", products=tea) for i in range(8)]
        + [order(f"n{i}", "bob", products=salt) for i in range(8)]
    )
    rate = (8.0 + 0.1) / (16.0 + 1.0)
    tea_salt_ink = pipeline.affinities("ann", "category", ["Tea", "Salt", "Ink"], START)
    np.testing.assert_allclose(
        tea_salt_ink,
        [(8.0 + 8.0 * rate) / 16.0, 8.0 * rate / 16.0, 8.0 * (0.1 / 17.0) / 16.0],
        rtol=1e-12,
    )
    crowd = pipeline.affinities("nobody", "category", ["Tea", "Ink"], START)
    np.testing.assert_allclose(crowd, [rate, 0.1 / 17.0], rtol=1e-12)


def test_affinity_fades_by_half_in_90_days():
    pipeline = observed([order("m1", products=(Product(brand="Acme"),))])
    later = pipeline.affinities("ann", "brand", ["Acme"], START + timedelta(days=90))
    assert later[0] == pytest.approx((0.5 + 8.0 * (0.5 + 0.1) / (0.5 + 1.0)) / (0.5 + 8.0))


@given(histories(), st.sampled_from(("category", "brand")), st.integers(-400, 4_000))
def test_affinities_lie_between_0_and_1(history, attribute, days):
    pipeline = observed(history)
    now = START + timedelta(days=days)
    for visitor in (*VISITORS, "nobody"):
        drawn = pipeline.affinities(visitor, attribute, ["Tea", "Acme", "Unseen"], now)
        assert ((drawn >= 0.0) & (drawn <= 1.0)).all()


def test_refunds_and_cancellations_take_their_money_back_but_never_more():
    def money(*changes):
        pipeline = observed([order("m0", total_cents=1_200, tax_cents=200)])
        for seq, (name, cents) in enumerate(changes, 1):
            pipeline.observe(Event(f"m{seq}", name, "ann", START, total_cents=cents), seq)
        summary = pipeline.profile_summary("ann", NOW)
        return summary.orders, summary.revenue_cents

    assert money() == (1, 1_000)
    assert money(("Order Refunded", 300)) == (1, 700)
    assert money(("Order Cancelled", 1_000)) == (0, 0)
    assert money(("Order Cancelled", None)) == (1, 1_000)
    assert money(("Order Refunded", 9_000)) == (1, 0)


def test_a_segmentation_names_the_segment_of_known_visitors():
    pipeline = observed(
        [order(f"m{i}", f"v{i % 9}", day=i, total_cents=100 + i % 9 * 5_000) for i in range(60)]
    )
    _, matrix = pipeline.matrix(NOW)
    pipeline.segmentation = fit_kmeans(matrix, pipeline.feature_names, 3, previous=None, seed=1)
    context = pipeline.describe("v3", NOW)
    assert context.segment == pipeline.segmentation.assign(context.vector)
    assert pipeline.profile_summary("v3", NOW).segment == context.segment
    assert pipeline.describe("nobody", NOW).segment is None


def test_a_limited_matrix_spreads_over_all_visitors():
    pipeline = observed([viewed(f"m{i}", f"v{i}") for i in range(10)])
    assert pipeline.matrix(NOW, limit=5)[0] == ["v0", "v2", "v4", "v6", "v8"]
    assert len(pipeline.matrix(NOW, limit=50)[0]) == 10


def test_the_summary_names_what_the_visitor_likes():
    lines = (Product(category="Tea", brand="Acme"), Product(category="Salt"))
    pipeline = observed(
        [order("m1", products=lines), order("m2", day=1, products=lines[:1]), viewed("m3", day=3)]
    )
    summary = pipeline.profile_summary("ann", NOW)
    assert [name for name, _ in summary.top_categories] == ["Tea", "Salt"]
    assert [name for name, _ in summary.top_brands] == ["Acme"]
    assert (summary.events, summary.orders, summary.sessions) == (3, 2, 3)
    assert (summary.first_seen, summary.last_order) == (START, START + timedelta(days=1))


def test_misuse_is_refused_with_the_rule():
    pipeline = Pipeline()
    with pytest.raises(SegmentsError, match="timezone"):
        pipeline.describe("ann", NOW.replace(tzinfo=None))
    with pytest.raises(SegmentsError, match="category"):
        pipeline.affinities("ann", "colour", ["red"], NOW)
    with pytest.raises(SegmentsError, match="at least 1"):
        pipeline.take_changes(0)
    with pytest.raises(ProfileError):
        pipeline.load_profile("ann", b"\x00" * 100)
    with pytest.raises(ProfileError):
        pipeline.load_population(b"{}")
    with pytest.raises(IdentityError):
        pipeline.load_alias("ann", "ann", 1)
    foreign = fit_kmeans(np.eye(3, dtype=np.float32), "abc", 2, previous=None, seed=0)
    with pytest.raises(SegmentsError, match="fit the segments again"):
        pipeline.segmentation = foreign


def test_far_away_clocks_stay_finite():
    pipeline = Pipeline()
    for seq, year in enumerate((1970, 2026, 2099)):
        product = (Product(category="Tea", price_cents=10**12, quantity=10**6),)
        timestamp = START.replace(year=year)
        event = Event(f"m{seq}", "Order Completed", "ann", timestamp, products=product)
        pipeline.observe(event, seq)
    for year in (1970, 2026, 2099, 9000):
        now = START.replace(year=year)
        assert np.isfinite(pipeline.describe("ann", now).vector).all()
        assert np.isfinite(pipeline.affinities("ann", "category", ["Tea", "Salt"], now)).all()
