"""Supply: what there is left of money and goods, kept beside the log.

The only place where budgets and inventories meet the store. They are folds over one log of two
kinds of rows: decisions, and settlements, in which orders say what they used. What a decision takes
counts from the moment at which it is decided; the row that makes it last is the decision's own.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from heapq import merge

import numpy as np
import numpy.typing as npt
import structlog

from api.loop.holder import Holder
from api.settings import Settings
from api.storage.base import BookingRow, DecisionRow, Redeemable, SettlementRow, Store
from policy import model_file
from policy.bounds import LARGEST_REWARD
from policy.catalog.budget import Budget
from policy.catalog.eligibility import Reason
from policy.errors import ModelFileError, StateError
from segments.event import Event

log = structlog.get_logger()

REPLAYED_AT_ONCE = 5_000


class Supply:
    """All budgets and inventories.

    Args:
        holders: Of each of them.
        coupons: Code that an order has to name to redeem an action.
        store: The log.
    """

    def __init__(self, holders: Sequence[Holder], coupons: Mapping[str, str], store: Store) -> None:
        self._holders = tuple(holders)
        self._store = store
        self._coupons = {name: code.casefold() for name, code in coupons.items()}
        self._holds_us: dict[str, int] = {}
        for holder in holders:
            for name, hold_us in holder.holds_us.items():
                self._holds_us[name] = max(hold_us, self._holds_us.get(name, 0))

    def held_back(self, ids: tuple[str, ...], now_us: int) -> dict[str, Reason]:
        """The actions that there is no money or no stock for, with the reason.

        Args:
            ids: The candidates; a budget or inventory that none of them takes from is not asked.
            now_us: Microseconds since 1970.
        """
        held_back: dict[str, Reason] = {}
        for holder in self._holders:
            if holder.is_asked_by(ids):
                held_back.update(holder.scarce.held_back(now_us))
        return held_back

    def costs(self, ids: tuple[str, ...]) -> npt.NDArray[np.float64] | None:
        """What the policy has to subtract from the scores; None where nothing costs anything.

        Args:
            ids: The candidates.

        Returns:
            In units of reward, (n_actions,).
        """
        costs: npt.NDArray[np.float64] | None = None
        for holder in self._holders:
            budget = holder.scarce
            if isinstance(budget, Budget) and holder.is_asked_by(ids):
                costs = budget.costs(ids) if costs is None else costs + budget.costs(ids)
        return None if costs is None else np.minimum(costs, LARGEST_REWARD)

    def concerns(self, row: DecisionRow) -> bool:
        """Whether a decision takes, or could have taken, something."""
        return any(one.concerns(row.placement, row.action_id) for one in self._holders)

    def begin(self, row: DecisionRow) -> None:
        """Take what a decision takes, before it is appended; `settle` has to follow."""
        for holder in self._holders:
            holder.scarce.begin(row.decision_id, row.action_id)

    def settle(self, row: DecisionRow, seq: int | None) -> None:
        """What became of a begun decision: its place in the log, or None where it was not kept."""
        for holder in self._holders:
            holder.scarce.cancel(row.decision_id)
        if seq is not None and self.concerns(row):
            self._decided(BookingRow(seq, row.decision_id, row.placement, row.action_id,
                                     row.decided_at_us))  # fmt: skip

    def redeemable(self, event: Event) -> dict[str, Redeemable]:
        """What an order can use, by action."""
        if not self._holds_us:
            return {}
        codes = (event.coupon, *[product.coupon for product in event.products])
        named = {code.casefold() for code in codes if code}
        found = {}
        for name, hold_us in self._holds_us.items():
            coupon = self._coupons.get(name)
            if coupon is None:
                found[name] = Redeemable(hold_us, None)
            elif coupon in named:
                found[name] = Redeemable(hold_us, event.discount_cents)
        return found

    def settled(self, rows: Sequence[SettlementRow]) -> None:
        """Fold settlements that were just committed.

        On the next turn of the loop: decisions of the same group hear of it then as well, and so
        all is folded in the order of the log.
        """
        asyncio.get_running_loop().call_soon(self._settled, rows)

    def restore(self) -> int:
        """Load what was saved and fold the rest of the log; returns the number of rows folded."""
        if not self._holders:
            return 0
        for holder in self._holders:
            data = self._store.load_state(holder.key)
            if data is None:
                continue
            try:
                holder.load(data)
            except (ModelFileError, StateError) as error:
                log.warning("supply_refolded", holder=holder.key, reason=str(error))
        return self._replay()

    async def save(self) -> None:
        """Save what changed since the last time."""
        changed = [(one, one.place, one.state()) for one in self._holders if one.place != one.saved]
        for holder, place, state in changed:
            data = await asyncio.to_thread(model_file.dump, *state)
            await self._store.save_state(holder.key, data)
            holder.saved = place

    def _replay(self) -> int:
        decided = min(holder.place.decided for holder in self._holders)
        settled = min(holder.place.settled for holder in self._holders)
        n_rows = 0
        for row in merge(self._bookings(decided), self._settlements(settled), key=_place):
            if isinstance(row, BookingRow):
                self._decided(row)
            else:
                self._settled([row])
            n_rows += 1
        return n_rows

    def _bookings(self, seq: int) -> Iterator[BookingRow | SettlementRow]:
        while rows := self._store.bookings_after(seq, REPLAYED_AT_ONCE):
            yield from rows
            seq = rows[-1].seq

    def _settlements(self, seq: int) -> Iterator[BookingRow | SettlementRow]:
        while rows := self._store.settlements_after(seq, REPLAYED_AT_ONCE):
            yield from rows
            seq = rows[-1].seq

    def _decided(self, row: BookingRow) -> None:
        for holder in self._holders:
            holder.decided(row)

    def _settled(self, rows: Sequence[SettlementRow]) -> None:
        for row in rows:
            for holder in self._holders:
                holder.settled(row)


def _place(row: BookingRow | SettlementRow) -> tuple[int, int]:
    """Where a row stands in the log of both kinds."""
    if isinstance(row, BookingRow):
        return row.seq, 0
    return row.decisions_through, row.seq


def build_supply(settings: Settings, store: Store) -> Supply:
    """The budgets and inventories of the configuration, with all of their money and stock."""
    offered = {place.name: frozenset(place.actions) for place in settings.placements}
    holders = [Holder(one.budget(), offered) for one in settings.budgets]
    holders += [Holder(one.inventory(), offered) for one in settings.inventories]
    coupons = {name: code for one in settings.budgets for name, code in one.coupons.items()}
    return Supply(holders, coupons, store)
