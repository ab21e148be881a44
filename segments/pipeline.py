"""The front of this room: observe events, describe visitors.

One thread observes; any thread may describe meanwhile, since each profile is replaced whole.

**Restart.** Load what was saved (`load_alias`, `load_profile`, `load_population`), then observe
again every event after `population_seq`, in order, under the visitor id that was logged. What a
profile covers already, because it was saved later than the population, is skipped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from segments.changes import ChangeLog, Changes
from segments.context import Context
from segments.errors import SegmentsError
from segments.features.base import Moment, moment, observation
from segments.features.schema import SCHEMA
from segments.hashing import hash64
from segments.identity import Identities, claimed_alias
from segments.look import Look
from segments.population import ATTRIBUTES, Population
from segments.profile import Profile, check, covered_seq, decode, encode
from segments.summary import ProfileSummary, summarize

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    import numpy.typing as npt

    from segments.behaviour.session import SessionTracker
    from segments.cluster.segmentation import Segmentation
    from segments.event import Event

__all__ = ["Changes", "Context", "Pipeline", "ProfileSummary"]


class Pipeline:
    """Every visitor's profile, and the readings of it.

    Args:
        segmentation: names the segment of each context; may be replaced at any time.
        habits: follows sessions against each visitor's own past; None for nobody's. It has a place
            in the log of its own, and is saved by whoever made it.

    Attributes:
        feature_names: of `Context.vector`, in order.
        segmentation: as given, or as replaced since; one of other features is refused.

    Example:
        >>> from datetime import UTC, datetime
        >>> from segments.event import Event, Product
        >>> at = datetime(2026, 3, 1, 12, tzinfo=UTC)
        >>> pipeline = Pipeline()
        >>> tea = (Product(category="Tea", price_cents=900),)
        >>> pipeline.observe(Event("m1", "Order Completed", "ann", at, products=tea), seq=1)
        'ann'
        >>> pipeline.describe("ann", at).known
        True
        >>> pipeline.affinities("ann", "category", ["Tea", "Salt"], at).round(2).tolist()
        [0.6, 0.04]
    """

    feature_names: tuple[str, ...] = SCHEMA.feature_names

    def __init__(
        self, segmentation: Segmentation | None = None, habits: SessionTracker | None = None
    ) -> None:
        self.segmentation = segmentation
        self.habits = habits
        self._last_moment: tuple[datetime, Moment] | None = None
        self.clear()

    def clear(self) -> None:
        """Forgets every visitor, so that the log can be folded again from its first event."""
        self._profiles: dict[str, bytes] = {}
        self._identities = Identities()
        self._population = Population()
        self._changes = ChangeLog()

    def __len__(self) -> int:
        return len(self._profiles)

    @property
    def segmentation(self) -> Segmentation | None:
        """Names the segment of each context."""
        return self._segmentation

    @segmentation.setter
    def segmentation(self, segmentation: Segmentation | None) -> None:
        if segmentation is not None:
            segmentation.require_features(self.feature_names)
        self._segmentation = segmentation

    @property
    def population_seq(self) -> int:
        """Sequence number that the population covers; -1 before the first event."""
        return self._population.seq

    def visitors(self) -> Iterable[str]:
        """The ids in use, in the order of their first event."""
        return list(self._profiles)

    def encoded_profiles(self) -> Iterable[bytes]:
        """The profiles as they are saved, in the order of `visitors`: for `segments.batch`."""
        return list(self._profiles.values())

    def knows(self, visitor: str) -> bool:
        """Whether there is a profile under exactly this id: not of one merged away, or erased."""
        return visitor in self._profiles

    def covered_seq(self, visitor: str) -> int:
        """Sequence number of the last event of a visitor; -1 for an unknown one."""
        data = self._profiles.get(visitor)
        return -1 if data is None else covered_seq(data)

    def resolve(self, visitor: str) -> str:
        """The id in use for this one: itself unless it was merged into another."""
        return self._identities.resolve(visitor)

    def ids_of(self, visitor: str) -> tuple[str, ...]:
        """Every id that stands for this visitor, the one in use first."""
        return self._identities.ids_of(visitor)

    def observe(self, event: Event, seq: int) -> str:
        """Folds one event in, once.

        Args:
            event: what happened.
            seq: its sequence number in the log, at least 0, strictly increasing. A profile that
                covers it skips the event; so does one that remembers its message or order id.

        Returns:
            The id in use of its visitor.
        """
        seen, ids = observation(event), _repeat_ids(event)
        self._population.observe(seen, ids, seq)
        visitor = self.resolve(event.visitor)
        data = self._profiles.get(visitor)
        covered = data is not None and covered_seq(data) >= seq
        alias = claimed_alias(event)
        absorbed = None
        if alias is not None and seq > self._identities.seq:  # else a stored link knows better
            absorbed = self._claim(alias, visitor, seq)
        if self.habits is not None:
            self.habits.observe(event, visitor, seq)
        if covered:  # and then it covers what the alias brought, too
            return visitor
        profile = SCHEMA.new_profile() if data is None else decode(data)
        if absorbed is not None:
            SCHEMA.merge(profile, decode(absorbed))
        fresh = [profile.remember(key) for key in ids]  # a list: each id is to be remembered
        if all(fresh):
            SCHEMA.fold(profile, seen)
        profile.seq = seq  # also for a repeat: replay must skip exactly what was seen
        self._profiles[visitor] = encode(profile, SCHEMA.fingerprint)
        self._changes.changed(visitor)
        return visitor

    def look(self, visitor: str, now: datetime) -> Look:
        """The visitor at a moment, for who wants several readings at once.

        Raises:
            SegmentsError: if `now` carries no timezone.
        """
        visitor, at = self.resolve(visitor), self._moment(now)
        return Look(
            visitor, self._profile(visitor), self._population, self.segmentation, at, self.habits
        )

    def describe(self, visitor: str, now: datetime) -> Context:
        """The visitor's context; an unknown one gets that of a visitor of no events.

        Args:
            visitor: any id, also one merged away.
            now: timezone-aware; the same profile and time give the same bits.

        Raises:
            SegmentsError: if `now` carries no timezone.
        """
        return self.look(visitor, now).context()

    def affinities(
        self, visitor: str, attribute: str, values: Sequence[str], now: datetime
    ) -> npt.NDArray[np.float64]:
        """How much the visitor is drawn to each value: see `segments.features.affinity`.

        Args:
            visitor: any id, also an unknown one, who gets the crowd's rates.
            attribute: "category" or "brand".
            values: of that attribute; a tuple that stays the same is fastest.
            now: timezone-aware.

        Returns:
            Shape (n_values,), each in [0, 1].

        Raises:
            SegmentsError: if the attribute is another.
        """
        return self.look(visitor, now).affinities(attribute, tuple(values))

    def matrix(
        self, now: datetime, limit: int | None = None
    ) -> tuple[list[str], npt.NDArray[np.float32]]:
        """The vectors of all visitors, through the same code as `describe`.

        Args:
            now: timezone-aware.
            limit: at most so many, evenly spaced over the order of first events; None for all.

        Returns:
            Visitors in the order of their first event, and shape (n_visitors, n_features).
        """
        items = list(self._profiles.items())
        if limit is not None and limit < len(items):
            items = [items[i * len(items) // limit] for i in range(limit)]
        at = self._moment(now)
        vectors = np.empty((len(items), len(self.feature_names)), np.float32)
        for row, (_, data) in zip(vectors, items, strict=True):
            row[:] = SCHEMA.read(decode(data), at)
        return [visitor for visitor, _ in items], vectors

    def profile_summary(self, visitor: str, now: datetime) -> ProfileSummary | None:
        """The visitor in words and numbers for a person to read; None for an unknown one."""
        profile = self._profile(self.resolve(visitor))
        if profile is None:
            return None
        names = {name: tuple(self._population.counts[name]) for name in ATTRIBUTES}
        tops = {
            name: list(zip(known, self.affinities(visitor, name, known, now).tolist(), strict=True))
            for name, known in names.items()
        }
        return summarize(self.describe(visitor, now), profile, tops)

    def take_changes(self, limit: int) -> Changes:
        """At most `limit` profiles to save; call until `more` is False, each in a transaction."""
        return self._changes.take(limit, self._saved_form)

    def put_back(self, changes: Changes) -> None:
        """Marks changes as unsaved again, because saving them failed."""
        self._changes.put_back(changes)

    def forget(
        self, profiles: Iterable[str], ids: Iterable[str], links: Iterable[tuple[str, str, int]]
    ) -> None:
        """Takes a person out; the crowd's rates, which are sums over all, stay.

        Args:
            profiles: the ids that stand for the person now.
            ids: every id that was ever theirs.
            links: (alias, id, seq) of those of the ids that are somebody else's without them.
        """
        for visitor in profiles:
            self._profiles.pop(visitor, None)
            if self.habits is not None:
                self.habits.forget(visitor)
        for visitor in ids:
            self._changes.forget(visitor)
            self._identities.unlink(visitor)
        for alias, visitor, seq in links:
            self._identities.restore(alias, visitor, seq)

    def load_profile(self, visitor: str, data: bytes) -> None:
        """Takes back a saved profile.

        Raises:
            ProfileError: if it is cut, or of another version.
        """
        check(data, SCHEMA.fingerprint)
        if visitor in self._identities.links:
            # Saved links imply a saved merge: this is what a crash left undeleted.
            self._changes.removed(visitor, covered_seq(data))
        else:
            self._profiles[visitor] = bytes(data)

    def load_alias(self, alias: str, visitor: str, seq: int) -> None:
        """Takes back a saved link.

        Raises:
            IdentityError: if it would close a circle.
        """
        self._identities.restore(alias, visitor, seq)
        leftover = self._profiles.pop(alias, None)
        if leftover is not None:
            self._changes.removed(alias, covered_seq(leftover))

    def population_state(self) -> bytes:
        """The population's counts and the sequence number they cover, to be saved as one.

        For the observing thread, and only once `take_changes` left nothing.
        """
        return self._population.state()

    def load_population(self, data: bytes) -> None:
        """Takes back a saved population.

        Raises:
            ProfileError: if it is damaged, or of another version.
        """
        self._population = Population.from_state(data)

    def _profile(self, visitor: str) -> Profile | None:
        data = self._profiles.get(visitor)
        return None if data is None else decode(data)

    def _saved_form(self, visitor: str) -> tuple[int, bytes]:
        data = self._profiles[visitor]
        return covered_seq(data), data

    def _claim(self, alias: str, visitor: str, seq: int) -> bytes | None:
        """Links the alias to the visitor; the profile it had so far, if any."""
        links = self._identities.links
        if self.resolve(alias) == visitor:
            return None
        self._identities.link(alias, visitor, seq)
        self._changes.linked(alias, links[alias], seq)
        if self.habits is not None:
            self.habits.merge(alias, visitor)
        data = self._profiles.pop(alias, None)  # None where the alias was linked before
        if data is not None:
            self._changes.removed(alias, seq)
        return data

    def _moment(self, now: datetime) -> Moment:
        """The moment of `now`; one request asks several times for the same."""
        last = self._last_moment
        if last is not None and last[0] is now:
            return last[1]
        if now.tzinfo is None:
            raise SegmentsError(f"now must carry a timezone, got {now.isoformat()}")
        at = moment(now.timestamp())
        self._last_moment = (now, at)
        return at


def _repeat_ids(event: Event) -> tuple[int, ...]:
    """What a repeat of this event would have in common with it: message id, and order id."""
    if event.name == "Order Completed" and event.order_id:
        # A pixel and a webhook report one order under two message ids.
        return hash64("m" + event.message_id), hash64("o" + event.order_id)
    return (hash64("m" + event.message_id),)
