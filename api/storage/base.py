"""The contract of a store: an append-only log, and snapshots of what was folded from it.

Stands under the loop: everything that was acknowledged is in here. A store answers only after
what it was given is durable, and hands results over in the order of the log.
"""

from abc import ABC, abstractmethod
from asyncio import AbstractEventLoop, Future
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from api.storage.memberships import MembershipRow, Through, TransitionRow
from api.storage.record import DecisionRecord
from api.storage.retention import Covered, Expired
from api.storage.subject import Subjects
from api.storage.trial import Trials
from policy.catalog.history import Exposure
from policy.reward.conversion import Conversion
from policy.reward.spec import RewardSpec

if TYPE_CHECKING:
    from api.storage.keyed import Keyed, KeyedRequest, Told
    from api.storage.outbox import Delivery, Notice, Sent

EXPOSURES = "exposures"
"""Under which name the state is kept that says how far saved exposures reach."""


class StoreError(RuntimeError):
    """The store cannot do what was asked; the message says why and what helps."""


class StoreUnavailableError(StoreError):
    """A write did not become durable: disk full, locked, closed. Nothing of it was kept."""


class RepeatedDecisionError(StoreError):
    """A decision has an id that is in the log already. Nothing of it was kept."""


class RepeatedRequestError(StoreError):
    """The key of a request was used before. Nothing of the request was kept.

    Args:
        answer: What was answered then; None where the key was used for something else.
    """

    def __init__(self, answer: bytes | None) -> None:
        self.answer = answer
        super().__init__("the key was used before")


class OverloadedError(StoreUnavailableError):
    """More comes in than the store can take; it was not even tried."""


class EventRow(NamedTuple):
    """One row of `events`, as it is appended; `body` is the event as JSON.

    `order_id` is that of an order placed, refunded or cancelled, and none of any other event.
    """

    message_id: str
    visitor: str
    name: str
    timestamp_us: int
    received_at_us: int
    body: str
    order_id: str | None = None


class DecisionRow(NamedTuple):
    """One row of `decisions`, as it is appended.

    `context` and `features` are float32 bytes: what the policy saw, (n_context,) and
    (n_candidates, n_shared); `probabilities` are float64 bytes over `candidates`, a JSON list.
    `reasons` is a JSON object: why each candidate that is absent from `candidates` was refused.
    What follows it is `visitor_group`, `control` or `treatment` at a placement with a holdout, and
    what rules count the shown action by. A decision for a slot names its list: `candidates` are
    then what the slots above it had left. Of a price drawn out of a range, `density` is that at
    `price_cents`, per cent, and `probability` that of the price. `costs` are float64 bytes over
    `candidates`: what the policy subtracted from their scores; None where nothing costs anything.
    `owner` is whose key asked, None for the shop's own. `prices` are those that one was drawn from,
    a JSON list of the first, the last and their step. `lineup` is the step (`StepRow`) under which
    it was made, and `parts`, float64 bytes, the probability of what was shown by the champion, by
    the challenger and by each shadow, in this order and as far as there are any; NaN by one that
    failed.
    """

    decision_id: str
    visitor: str
    placement: str
    decided_at_us: int
    closes_at_us: int
    policy_version: str
    layout: int | None
    segment: str | None
    action_id: str
    match_value: str | None
    chosen: int
    probability: float
    reason: str | None
    candidates: str
    probabilities: bytes
    context: bytes | None
    features: bytes | None
    reasons: str | None = None
    visitor_group: str | None = None
    kind: str | None = None
    channel: str | None = None
    price_cents: int | None = None
    price_of: str | None = None
    list_id: str | None = None
    slot: str | None = None
    density: float | None = None
    costs: bytes | None = None
    owner: str | None = None
    prices: str | None = None
    lineup: int | None = None
    parts: bytes | None = None


class BookingRow(NamedTuple):
    """A decision of the log as budgets and inventories read it."""

    seq: int
    decision_id: str
    placement: str
    action_id: str
    decided_at_us: int


class SettlementRow(NamedTuple):
    """An order ended what a decision held.

    `units` were sold, 0 where an order used another decision of the same action; `cents` were
    spent, None for as much as the action costs. It comes after the decision `decisions_through` and
    before the next one.
    """

    seq: int
    decision_id: str
    action_id: str
    units: int
    cents: int | None
    at_us: int
    decisions_through: int


class RewardRow(NamedTuple):
    """One explicit reward."""

    reward_id: str
    decision_id: str
    value: float
    received_at_us: int


class RefitRow(NamedTuple):
    """One refit of the segments, and what came of it.

    `family` and `n_segments` are what was asked for, the latter None for what the family finds;
    `outcome` is `adopted`, `refused` (more churn than allowed), `failed` or `dry-run`; `version` is
    the segmentation's, `churn` the share of the visitors whom it calls otherwise than the one in
    use for the same behaviour, `reason` why it was not adopted, or why in spite of its churn.
    """

    at_us: int
    family: str
    n_segments: int | None
    outcome: str
    version: int | None
    n_visitors: int
    churn: float | None
    reason: str | None


class DeadLetterRow(NamedTuple):
    """Something that was refused, kept with the reason."""

    received_at_us: int
    field: str
    value: str
    rule: str
    body: str


class ModelRow(NamedTuple):
    """A saved model: a policy of a placement, as far as it has learned."""

    placement: str
    policy: str
    learned_through: int
    data: bytes


class LearningRow(NamedTuple):
    """A reward joined with the decision that earned it, ready to learn from.

    `before` is what the decision had earned until then.
    """

    seq: int
    placement: str
    layout: int | None
    action_id: str
    chosen: int
    value: float
    is_first: bool
    context: bytes | None
    features: bytes | None
    before: float = 0.0


Specs = Mapping[str, RewardSpec]
"""Reward definition of each placement, or of those that something concerns."""


@dataclass(frozen=True, slots=True)
class Credit:
    """A conversion that may earn open decisions their reward.

    Args:
        visitors: Every id under which the visitor's decisions may stand.
        conversion: What happened.
        specs: Reward definition of each placement that counts this kind of event.
        key: Names the conversion; under one key it rewards a decision once.
        order_id: Of an order: it is credited without what was refunded before it came in.
    """

    visitors: tuple[str, ...]
    conversion: Conversion
    specs: Specs
    key: str
    order_id: str | None = None


@dataclass(frozen=True, slots=True)
class Reversal:
    """A refund: decisions give back what the order earned them, however long ago.

    Args:
        order_id: Whose rewards change to what its net is worth.
        specs: Reward definition of each placement that counts orders.
    """

    order_id: str
    specs: Specs


@dataclass(frozen=True, slots=True)
class Showing:
    """A decision was shown: from now on it counts, where that is what it waited for.

    Args:
        decision_id: As the event says; there may be no such decision.
        specs: Reward definition of each placement.
    """

    decision_id: str
    specs: Specs


Effect = Credit | Reversal | Showing
"""What an event means for the rewards of decisions."""


class Redeemable(NamedTuple):
    """What an order can use of one action.

    Args:
        hold_us: How long after its decision, in microseconds.
        cents: What it spends; None for as much as the action costs.
    """

    hold_us: int
    cents: int | None


@dataclass(frozen=True, slots=True)
class Redemption:
    """An order that may use what decisions hold of budgets and inventories.

    Args:
        visitors: Every id under which the visitor's decisions may stand.
        conversion: What was ordered.
        key: Names the order; under one key it redeems once.
        actions: What it can use, by action id.
        matches: What an order is matched on at each placement; None for any order.
    """

    visitors: tuple[str, ...]
    conversion: Conversion
    key: str
    actions: Mapping[str, Redeemable]
    matches: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of appended events.

    Args:
        seqs: Place in the log of each event; None for one that was there already.
        n_rewards: How many decisions' rewards they changed.
        settlements: What they used of budgets and inventories.
    """

    seqs: tuple[int | None, ...]
    n_rewards: int
    settlements: tuple[SettlementRow, ...] = ()


@dataclass(frozen=True, slots=True)
class RewardOutcome:
    """What became of an explicit reward, or of an activation.

    Args:
        status: `counted`, `held` (until the decision is activated), `duplicate`, `conflict`,
            `unknown` (decision), `foreign` (visitor) or `full` (it takes no more).
        visitor: Whose decision it was.
    """

    status: str
    visitor: str | None = None


class Commits(NamedTuple):
    """What a store committed since its start.

    Args:
        n_groups: Transactions.
        n_works: Writes in them.
        seconds: Time that they took, flushes included.
    """

    n_groups: int = 0
    n_works: int = 0
    seconds: float = 0.0


class Store(ABC):
    """An append-only log with snapshots.

    Methods that return a future may be called from the event loop only, after `start`; the
    future is done when the write is durable. The others are for start-up and shut-down. Those that
    take a `keyed` request fail with a `RepeatedRequestError` where its key was used before; else
    its answer is kept with what they append.
    """

    @property
    @abstractmethod
    def n_waiting(self) -> int:
        """Writes that are not durable yet."""

    @property
    def commits(self) -> Commits:
        """What was committed, where it is counted."""
        return Commits()

    @property
    @abstractmethod
    def subjects(self) -> Subjects:
        """The people in it."""

    @property
    @abstractmethod
    def trials(self) -> Trials:
        """The policies in it, and what they do."""

    @abstractmethod
    def start(self, loop: AbstractEventLoop) -> None:
        """Take writes from this event loop; from now on only what returns a future may be called.

        `close` ends it.
        """

    @abstractmethod
    def append_decision(self, row: DecisionRow, keyed: "Keyed[int] | None" = None) -> Future[int]:
        """Append one decision.

        Returns:
            Its place in the log. Of two decisions, the one that was appended first comes first,
            and its future is done first. It fails when it is not durable within the store's
            deadline; then it is not kept.
        """

    @abstractmethod
    def append_decisions(
        self, rows: Sequence[DecisionRow], keyed: "Keyed[list[int]] | None" = None
    ) -> Future[list[int]]:
        """Append the decisions of one list, all or none; their places in the log.

        It fails with a `RepeatedDecisionError` where one of the ids is there already.
        """

    @abstractmethod
    def decisions_of_list(self, list_id: str) -> Future[list[DecisionRow]]:
        """The decisions of one list, in the order of the log."""

    @abstractmethod
    def append_events(
        self,
        rows: Sequence[EventRow],
        effects: Sequence[Sequence[Effect | Redemption]],
        on_commit: Callable[[Appended], None],
        letters: Sequence[DeadLetterRow] = (),
        keyed: "Keyed[Appended] | None" = None,
    ) -> Future[Appended]:
        """Append events and what they mean for rewards and for what is scarce, in one transaction.

        With them go `letters`, what was refused beside them.

        Refused with `OverloadedError` while the store is slower than what comes in. An event that
        is there already has no effects. `on_commit` is called on the event loop in
        the order of the log, also when nobody waits for the future any more.
        """

    @abstractmethod
    def subscribe(self, endpoints: Mapping[str, Sequence[str]]) -> None:
        """Which types of notices each endpoint wants, by its name. Before `start`."""

    @abstractmethod
    def tell(self, notice: "Notice") -> Future[int]:
        """Put a notice into the outbox that nothing else is written with."""

    @abstractmethod
    def due_notices(
        self, endpoint: str, now_us: int, limit: int
    ) -> Future[tuple[list["Delivery"], int]]:
        """What to send to an endpoint now, and how many are waiting for it in all."""

    @abstractmethod
    def settle_notices(self, results: Sequence["Sent"]) -> Future[None]:
        """Note what came of tries to deliver."""

    @abstractmethod
    def redeliver(self, endpoint: str | None, message_id: str | None, now_us: int) -> Future[int]:
        """Send again what is dead, or one message; how many deliveries that are."""

    @abstractmethod
    def buyer_of(self, order_id: str) -> Future[str | None]:
        """The visitor of an order; None for one that nobody told of."""

    @abstractmethod
    def append_reward(
        self,
        row: RewardRow,
        visitors: tuple[str, ...],
        specs: Specs,
        owner: str | None = None,
        keyed: "Keyed[RewardOutcome] | None" = None,
    ) -> Future[RewardOutcome]:
        """Append one explicit reward, once for each `reward_id`.

        With `visitors`, the decision must be one of theirs; decisions of another `owner` are
        unknown.
        """

    @abstractmethod
    def activate(
        self,
        decision_id: str,
        visitors: tuple[str, ...],
        now_us: int,
        specs: Specs,
        owner: str | None = None,
        keyed: "Keyed[RewardOutcome] | None" = None,
    ) -> Future[RewardOutcome]:
        """Note that a decision was shown, once; with it comes what it has earned meanwhile."""

    @abstractmethod
    def claim(self, request: "KeyedRequest") -> Future[None]:
        """Take the key for a request that needs several writes; `answer` comes with the last."""

    @abstractmethod
    def answer(self, request: "KeyedRequest", told: "Told") -> Future[None]:
        """Keep what a claimed request is answered."""

    @abstractmethod
    def append_dead_letters(self, rows: Sequence[DeadLetterRow]) -> Future[None]:
        """Keep what was refused."""

    @abstractmethod
    def close_windows(self, now_us: int, specs: Specs, limit: int) -> Future[int]:
        """Give decisions whose window closed without a reward their default.

        Not those that wait for their activation; they get it when they are activated.

        Returns:
            How many decisions were looked at; a full `limit` means that there may be more.
        """

    @abstractmethod
    def decision(self, decision_id: str) -> Future[DecisionRow | None]:
        """One decision of the log, as it was appended; None where there is none."""

    @abstractmethod
    def record(self, decision_id: str) -> Future[DecisionRecord | None]:
        """One decision with what came of it; None where there is none."""

    @abstractmethod
    def expire(
        self, table: str, before_us: int, covered: Covered, after: tuple[int, int], limit: int
    ) -> Future[Expired]:
        """Let the next old rows of a table go; see `api.storage.retention`."""

    @abstractmethod
    def rewards_after(self, seq: int, limit: int) -> Future[list[LearningRow]]:
        """The next rewards of the log, in order."""

    @abstractmethod
    def events_after(self, seq: int, limit: int) -> list[tuple[int, str]]:
        """The next events of the log as (seq, body), in order."""

    @abstractmethod
    def exposures_after(self, seq: int, limit: int) -> list[tuple[int, str, Exposure]]:
        """What the next decisions of the log showed, as (seq, visitor, exposure), in order."""

    @abstractmethod
    def bookings_after(self, seq: int, limit: int) -> list[BookingRow]:
        """The next decisions of the log, in order."""

    @abstractmethod
    def settlements_after(self, seq: int, limit: int) -> list[SettlementRow]:
        """The next settlements of the log, in order."""

    @abstractmethod
    def layout(self, names: Mapping[str, Sequence[str]]) -> int:
        """The number under which the names of a logged vector's entries are known."""

    @abstractmethod
    def layouts(self) -> dict[int, dict[str, list[str]]]:
        """The names of every layout by its number."""

    @abstractmethod
    def save_models(self, models: Sequence[ModelRow], now_us: int) -> Future[None]:
        """Save models in one transaction."""

    @abstractmethod
    def load_model(self, placement: str, policy: str) -> tuple[int, bytes] | None:
        """The newest saved model of a policy: (learned_through, data)."""

    @abstractmethod
    def save_profiles(
        self,
        profiles: Sequence[tuple[str, int, bytes | None]],
        aliases: Sequence[tuple[str, str, int]],
    ) -> Future[None]:
        """Save or (where data is None) drop profiles, with the aliases, in one transaction."""

    @abstractmethod
    def load_profiles(self) -> Iterator[tuple[str, bytes]]:
        """Every saved profile."""

    @abstractmethod
    def load_aliases(self) -> Iterator[tuple[str, str, int]]:
        """(alias, visitor, seq) of every saved alias."""

    @abstractmethod
    def save_exposures(self, exposures: Sequence[tuple[str, bytes]]) -> Future[None]:
        """Save visitors' folded exposures in one transaction."""

    @abstractmethod
    def load_exposures(self) -> Iterator[tuple[str, bytes]]:
        """Every saved visitor's exposures."""

    @abstractmethod
    def clear_exposures(self) -> None:
        """Drop them all, and how far they reached."""

    @abstractmethod
    def save_habits(self, habits: Sequence[tuple[str, int, bytes | None]]) -> Future[None]:
        """Save or (where data is None) drop visitors' habits in one transaction."""

    @abstractmethod
    def load_habits(self) -> Iterator[tuple[str, bytes]]:
        """Every saved visitor's habits, the one seen last comes last."""

    @abstractmethod
    def append_transitions(
        self, rows: Sequence[TransitionRow], through: Through | None
    ) -> Future[list[tuple[int, TransitionRow]]]:
        """Append changes of segment with the memberships they lead to, in one transaction.

        Returns:
            Those that were not there yet, with their places in the log. `through` is how far all
            are written then, None where more are to come.
        """

    @abstractmethod
    def transitions_after(self, seq: int, limit: int) -> Future[list[tuple[int, TransitionRow]]]:
        """The next changes of segment, in order: an outbox."""

    @abstractmethod
    def last_transitions(
        self, visitors: Sequence[str], limit: int
    ) -> Future[list[tuple[int, TransitionRow]]]:
        """The last changes of segment of some visitors, the newest first."""

    @abstractmethod
    def members(
        self, grouping: str, segment: str, beyond: str, limit: int
    ) -> Future[list[MembershipRow]]:
        """The next members of a segment, in the order of their ids."""

    @abstractmethod
    def flows(
        self, from_us: int, until_us: int
    ) -> Future[list[tuple[str, str | None, str | None, str, int]]]:
        """How many went from where to where, and why: (grouping, source, target, cause, n)."""

    @abstractmethod
    def load_memberships(self) -> Iterator[MembershipRow]:
        """Every membership."""

    @abstractmethod
    def save_refit(self, row: RefitRow, data: bytes | None) -> Future[None]:
        """Save what came of a refit, with the segmentation where it was adopted."""

    @abstractmethod
    def refits(self, limit: int) -> Future[list[RefitRow]]:
        """The latest refits, the newest first."""

    @abstractmethod
    def last_refit(self, adopted: bool) -> RefitRow | None:
        """The newest refit, or the newest that was adopted."""

    @abstractmethod
    def segmentation(self, version: int) -> Future[bytes | None]:
        """An adopted segmentation by its version; None where there is none."""

    @abstractmethod
    def load_segmentation(self) -> tuple[int, bytes] | None:
        """When the newest segmentation was saved, and its data."""

    @abstractmethod
    def save_state(self, key: str, data: bytes) -> Future[None]:
        """Save one named value."""

    @abstractmethod
    def load_state(self, key: str) -> bytes | None:
        """Read one named value."""

    @abstractmethod
    def last_reward(self) -> Future[int]:
        """Place in the log of the last reward; 0 for none."""

    @abstractmethod
    def latest_us(self) -> int:
        """When the last decision or event came in, in microseconds since 1970; 0 for none."""

    @abstractmethod
    async def close(self) -> None:
        """Commit what was accepted and let go of the file."""
