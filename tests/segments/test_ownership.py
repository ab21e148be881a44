"""Whose a row is, against the profiles that the pipeline folds."""

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from segments.event import Event
from segments.ownership import Ownership
from segments.pipeline import Pipeline

AT = datetime(2026, 3, 1, tzinfo=UTC)
IDS = st.sampled_from(["ann", "bob", "cat", "phone", "tablet"])


@st.composite
def events(draw: st.DrawFn) -> list[Event]:
    made = []
    for number in range(draw(st.integers(1, 14))):
        visitor, other = draw(IDS), draw(IDS)
        kind = draw(st.sampled_from(["Page Viewed", "Identified", "Aliased"]))
        extra = {"Identified": {"anonymous_id": other}, "Aliased": {"previous_id": other}}
        made.append(Event(f"m{number}", kind, visitor, AT, **extra.get(kind, {})))
    return made


@settings(max_examples=300, deadline=None)
@given(events())
def test_a_profile_holds_the_events_that_its_person_owns(log: list[Event]) -> None:
    pipeline, ownership = Pipeline(), Ownership()
    for seq, event in enumerate(log):
        pipeline.observe(event, seq)
        ownership.observe(event, seq)
    owned: dict[str, int] = {}
    for seq, event in enumerate(log):
        owner = ownership.owner(event.visitor, seq)
        owned[owner] = owned.get(owner, 0) + 1
    summaries = {name: pipeline.profile_summary(name, AT) for name in pipeline.visitors()}
    assert {name: one.events for name, one in summaries.items() if one and one.events} == owned


@settings(max_examples=300, deadline=None)
@given(events())
def test_the_ids_of_a_person_are_those_that_rows_of_theirs_have(log: list[Event]) -> None:
    ownership = Ownership()
    for seq, event in enumerate(log):
        ownership.observe(event, seq)
    for visitor in ("ann", "bob", "cat", "phone", "tablet"):
        if ownership.resolve(visitor) != visitor:
            continue
        ids = ownership.ids_of(visitor)
        assert ids[0] == visitor
        for seq, event in enumerate(log):
            assert (ownership.owner(event.visitor, seq) != visitor) or event.visitor in ids


@settings(max_examples=300, deadline=None)
@given(events(), IDS)
def test_links_without_a_person_are_those_of_a_log_without_them(
    log: list[Event], visitor: str
) -> None:
    full = Ownership()
    for seq, event in enumerate(log):
        full.observe(event, seq)
    erased = full.resolve(visitor)
    rest, pipeline = Ownership(), Pipeline()
    for seq, event in enumerate(log):
        if full.owner(event.visitor, seq) != erased:
            rest.observe(event, seq)
            pipeline.observe(event, seq)
    for name in ("ann", "bob", "cat", "phone", "tablet"):
        assert rest.resolve(name) == pipeline.resolve(name)
