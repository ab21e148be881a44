"""The books: how rewards come into the log, once each, and how they are taken back.

Functions of a connection that run inside the writer's transaction, so that looking and writing
cannot be torn apart.
"""

import sqlite3

from api.storage.account import (
    ACTIVATION,
    EVENT,
    EXPLICIT,
    REFUND,
    Account,
    Entry,
    account_of,
    accounts,
    post,
    take_back_default,
)
from api.storage.base import (
    Credit,
    Effect,
    EventRow,
    Reversal,
    RewardOutcome,
    RewardRow,
    Showing,
    Specs,
)
from api.storage.orders import order_at, refunds_of
from api.storage.outbox import Notice, tell
from api.storage.windows import PLAIN, open_decisions
from policy.reward.conversion import Conversion
from policy.reward.refund import net
from policy.reward.spec import Earning, RewardSpec

MOST_ROWS = 1_000
"""Rewards that one decision takes, so that a flood of events or reports cannot hold up the writer
nor drown the rest of what the policy learns."""


def apply(connection: sqlite3.Connection, event: EventRow, seq: int, effect: Effect) -> int:
    """Do what an event means for rewards.

    Args:
        connection: In the writer's transaction.
        event: As it was just appended.
        seq: Its place in the log.
        effect: One of its effects.

    Returns:
        How many decisions' rewards changed.
    """
    if isinstance(effect, Credit):
        return _credit(connection, event, seq, effect)
    if isinstance(effect, Reversal):
        return _take_back(connection, event, seq, effect)
    return _showing(connection, event, effect)


def _credit(connection: sqlite3.Connection, event: EventRow, seq: int, credit: Credit) -> int:
    """Reward the decisions of a visitor in whose window a conversion happened."""
    conversion = _at_net(connection, credit)
    if conversion is None:
        return 0
    now_us = event.received_at_us
    n_changed = 0
    for account in open_decisions(connection, event, credit):
        spec = credit.specs[account.placement]
        worth = spec.worth(conversion, account.match_value)
        reward_id = _credit_id(credit.key, account)
        if worth is None or reward_id in account.rows or len(account.rows) >= MOST_ROWS:
            continue
        account.earnings[seq] = Earning(event.timestamp_us, worth)
        take_back_default(connection, account, now_us)
        entry = Entry(reward_id, EVENT, now_us, seq, worth)
        if post(connection, account, spec, entry):
            n_changed += 1
            tell(connection, _credited(event, account, worth))
    return n_changed


def _credited(event: EventRow, account: Account, worth: float) -> Notice:
    data = {
        "decision_id": account.decision_id,
        "placement": account.placement,
        "visitor": account.visitor,
        "event": event.name,
        "message_id": event.message_id,
        "order_id": event.order_id,
        "worth": worth,
    }
    return Notice("conversion.credited", event.received_at_us, data, account.visitor)


def _at_net(connection: sqlite3.Connection, credit: Credit) -> Conversion | None:
    """The conversion without what was refunded before it came in."""
    refunds = refunds_of(connection, credit.order_id) if credit.order_id else []
    return net(credit.conversion, refunds) if refunds else credit.conversion


def _take_back(
    connection: sqlite3.Connection, event: EventRow, seq: int, reversal: Reversal
) -> int:
    """Correct every decision that an order rewarded to what its net is worth."""
    key = f"order:{reversal.order_id}"
    credited = accounts(connection, _CREDITED, (f"{EVENT}:{key}:", f"{EVENT}:{key}:\x7f"))
    refunds = refunds_of(connection, reversal.order_id) if credited else []
    n_changed = 0
    for account in credited:
        spec = reversal.specs.get(account.placement)
        order_seq = account.rows.get(_credit_id(key, account))
        before = account.earnings.get(order_seq or 0)
        if spec is None or order_seq is None or before is None:
            continue
        order = order_at(connection, order_seq)
        if order is None:
            continue
        left = net(order, refunds)
        worth = None if left is None else spec.worth(left, account.match_value)
        if worth == before.worth:
            continue
        account.earnings[order_seq] = None if worth is None else before._replace(worth=worth)
        now_us = event.received_at_us
        entry = Entry(f"{REFUND}:{seq}:{account.decision_id}", REFUND, now_us, order_seq, worth)
        n_changed += post(connection, account, spec, entry, closed=account.closes_at_us <= now_us)
    return n_changed


# The range also holds orders whose id begins with this one and a colon.
_CREDITED = """d.decision_id IN (
    SELECT decision_id FROM rewards WHERE reward_id BETWEEN ? AND ?)"""


def _credit_id(key: str, account: Account) -> str:
    return f"{EVENT}:{key}:{account.decision_id}"


def explicit_reward(
    connection: sqlite3.Connection,
    reward: RewardRow,
    visitors: tuple[str, ...],
    specs: Specs,
    owner: str | None = None,
) -> RewardOutcome:
    """Append a reward that a client reports; see `Store.append_reward`."""
    account = _account_for(connection, reward.decision_id, owner)
    if account is None or _is_foreign(account, visitors):
        return _refusal(account)
    before = connection.execute(
        "SELECT decision_id, worth FROM rewards WHERE reward_id = ?", (reward.reward_id,)
    ).fetchone()
    if before is not None:
        same = before == (reward.decision_id, reward.value)
        return RewardOutcome("duplicate" if same else "conflict", account.visitor)
    if len(account.rows) >= MOST_ROWS:
        return RewardOutcome("full", account.visitor)
    spec = specs.get(account.placement, PLAIN)
    account.reported = (account.reported or 0.0) + reward.value
    take_back_default(connection, account, reward.received_at_us)
    entry = Entry(reward.reward_id, EXPLICIT, reward.received_at_us, worth=reward.value)
    post(connection, account, spec, entry)
    return RewardOutcome("counted" if account.counts(spec) else "held", account.visitor)


def activate(
    connection: sqlite3.Connection,
    decision_id: str,
    visitors: tuple[str, ...],
    now_us: int,
    specs: Specs,
    owner: str | None = None,
) -> RewardOutcome:
    """Note that a decision was shown; see `Store.activate`."""
    account = _account_for(connection, decision_id, owner)
    if account is None or _is_foreign(account, visitors):
        return _refusal(account)
    if account.shown:
        return RewardOutcome("duplicate", account.visitor)
    _show(connection, account, specs.get(account.placement, PLAIN), now_us)
    return RewardOutcome("counted", account.visitor)


def _showing(connection: sqlite3.Connection, event: EventRow, showing: Showing) -> int:
    """Activate the decision that an event names; one that nobody waits for is let be."""
    account = account_of(connection, showing.decision_id)
    spec = showing.specs.get(account.placement) if account else None
    if account is None or spec is None or account.counts(spec):
        return 0
    return _show(connection, account, spec, event.received_at_us)


def _show(connection: sqlite3.Connection, account: Account, spec: RewardSpec, now_us: int) -> bool:
    account.shown = True
    entry = Entry(f"{ACTIVATION}:{account.decision_id}", ACTIVATION, now_us)
    return post(connection, account, spec, entry, closed=account.closes_at_us <= now_us)


def _account_for(
    connection: sqlite3.Connection, decision_id: str, owner: str | None
) -> Account | None:
    """The account of a decision that an owner may report about; to any other it is unknown."""
    sql = "SELECT 1 FROM decisions WHERE decision_id = ? AND owner IS ?"
    if connection.execute(sql, (decision_id, owner)).fetchone() is None:
        return None
    return account_of(connection, decision_id)


def _is_foreign(account: Account, visitors: tuple[str, ...]) -> bool:
    return bool(visitors) and account.visitor not in visitors


def _refusal(account: Account | None) -> RewardOutcome:
    return RewardOutcome("unknown" if account is None else "foreign")
