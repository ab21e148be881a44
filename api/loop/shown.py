"""What visitors were shown: kept beside the log, so that caps and price guards can ask it.

The only place where exposures meet the store. They count when the decision is made; the row that
makes them last is the decision's own. `policy.catalog.exposure` says what is kept. With the
exposures of a row goes what it takes of budgets and inventories.
"""

import asyncio
import json
from asyncio import Future
from collections.abc import Iterable, Sequence
from functools import partial

from api.loop.backlog import Backlog
from api.loop.breaker import Breaker
from api.loop.supply import Supply
from api.storage.base import EXPOSURES, DecisionRow, Store, StoreUnavailableError
from api.storage.keyed import Keyed
from policy.catalog.exposure import NOTHING, Exposures
from policy.catalog.history import Exposure, History
from policy.catalog.limit import Tracked
from segments.pipeline import Pipeline

AT_ONCE = 200
REPLAYED_AT_ONCE = 5_000


class ShownLog:
    """Exposures of all visitors, from the log and into it.

    Args:
        tracked: What rules will ask; where that is nothing, nothing is kept.
        pipeline: Knows which ids are one visitor.
        store: The log.
        supply: What is scarce, and so taken by what is shown.

    Attributes:
        breaker: Open while the log cannot be written: then nobody waits for it.
        backlog: What was shown meanwhile.
    """

    def __init__(self, tracked: Tracked, pipeline: Pipeline, store: Store, supply: Supply) -> None:
        self.exposures = Exposures(tracked)
        self._pipeline = pipeline
        self._store = store
        self._supply = supply
        self.breaker = Breaker()
        self.backlog = Backlog(self)
        self._idle = not tracked
        self._saved_through = -1

    def of(self, visitor: str) -> History:
        """What a visitor was shown, under whichever id."""
        if self._idle:
            return NOTHING
        return self.exposures.of(self._pipeline.ids_of(visitor))

    @property
    def read_through(self) -> int | None:
        """Place in the log up to which exposures are folded; None where nothing is kept."""
        return None if self._idle else self.exposures.seq

    async def append(self, row: DecisionRow, keyed: Keyed[int] | None = None) -> None:
        """Append a decision to the log and count what it shows.

        Raises:
            StoreUnavailableError: It is not durable, and does not count.
            RepeatedRequestError: Its request was answered before; it does not count either.
        """
        self.breaker.check()
        try:
            await self._append(row, keyed)
        except BaseException as error:
            self._failed(error)
            raise
        self.breaker.succeeded()

    async def _append(self, row: DecisionRow, keyed: Keyed[int] | None) -> None:
        if not self._counts(row) and not self._supply.concerns(row):
            seq = await self._store.append_decision(row, keyed)
            self.exposures.seq = max(self.exposures.seq, seq)  # read, and nothing to keep of it
            return
        self.expect(row)
        try:
            future = self._store.append_decision(row, keyed)
        except BaseException:
            self.forget([row])
            raise
        future.add_done_callback(partial(self._settle, row))
        # Shielded: whether the row was kept must be heard even when nobody waits for it any more.
        await asyncio.shield(future)

    def expect(self, row: DecisionRow) -> None:
        """Count what a row shows, before it is appended; `append_list` or `forget` follows."""
        if self._counts(row):
            self.exposures.begin(row.visitor, _exposure(row))
        self._supply.begin(row)

    def forget(self, rows: Sequence[DecisionRow]) -> None:
        """Rows that were expected are not going to be appended."""
        self._settle_list(rows, [None] * len(rows))

    async def append_list(
        self, rows: Sequence[DecisionRow], keyed: Keyed[list[int]] | None = None
    ) -> None:
        """Append rows that were expected, all or none.

        Raises:
            StoreUnavailableError: They are not durable, and do not count.
            RepeatedRequestError: Their request was answered before.
        """
        try:
            self.breaker.check()
        except StoreUnavailableError:
            self.forget(rows)
            raise
        try:
            await self._append_list(rows, keyed)
        except BaseException as error:
            self._failed(error)
            raise
        self.breaker.succeeded()

    def _failed(self, error: BaseException) -> None:
        """Tell the breaker of a write; what the log refused, it was there to refuse."""
        if isinstance(error, StoreUnavailableError):
            self.breaker.failed()
        else:
            self.breaker.succeeded()

    async def _append_list(
        self, rows: Sequence[DecisionRow], keyed: Keyed[list[int]] | None
    ) -> None:
        try:
            future = self._store.append_decisions(rows, keyed)
        except BaseException:
            self.forget(rows)
            raise

        def settle(future: "Future[list[int]]") -> None:
            kept = not future.cancelled() and future.exception() is None
            self._settle_list(rows, future.result() if kept else [None] * len(rows))

        future.add_done_callback(settle)
        await asyncio.shield(future)  # as above

    def erase(self, ids: Iterable[str]) -> None:
        """Drop what was logged under some ids; the log has it no more."""
        ids = tuple(ids)
        self.backlog.erase(ids)
        for visitor in ids:
            self.exposures.forget(visitor)

    def restore(self) -> int:
        """Load what was saved and fold the rest of the log; returns the number of rows folded.

        What was saved for other rules is made again from the first row.
        """
        if self._idle:
            return 0
        if not self._load():
            self.exposures.clear()
            self._store.clear_exposures()  # or they could be taken for ours at a later start
        return self._replay()

    async def save(self) -> None:
        """Save what changed since the last time, in small chunks, so that decisions go on."""
        exposures = self.exposures
        more = not self._idle
        while more:
            changes = exposures.take_changes(AT_ONCE)
            more = exposures.has_changes
            # Taken at the instant at which nothing is left to save: it covers what was saved.
            through = exposures.seq
            try:
                if changes:
                    await self._store.save_exposures(changes)
            except BaseException:  # cancelled as well: whether it is saved is not known then
                exposures.put_back(changes)
                raise
            if not more and through != self._saved_through:
                state = {"fingerprint": exposures.tracked.fingerprint, "seq": through}
                await self._store.save_state(EXPOSURES, json.dumps(state).encode())
                self._saved_through = through

    def _load(self) -> bool:
        """Whether all that was saved could be taken back."""
        try:
            saved = json.loads(self._store.load_state(EXPOSURES) or b"{}")
            fits = bool(saved.get("fingerprint") == self.exposures.tracked.fingerprint)
            self.exposures.seq = int(saved.get("seq", 0))
        except (ValueError, AttributeError, TypeError):
            fits = False
        for visitor, data in self._store.load_exposures():
            fits = fits and self.exposures.load(visitor, data)
        return fits

    def _replay(self) -> int:
        n_rows, seq = 0, self.exposures.seq
        while rows := self._store.exposures_after(seq, REPLAYED_AT_ONCE):
            for seq, visitor, exposure in rows:
                self.exposures.fold(visitor, exposure, seq)
            n_rows += len(rows)
        return n_rows

    def _counts(self, row: DecisionRow) -> bool:
        return not self._idle and self.exposures.concern(_exposure(row))

    def _settle_list(self, rows: Sequence[DecisionRow], seqs: Sequence[int | None]) -> None:
        for row, seq in zip(rows, seqs, strict=True):
            if self._counts(row):
                self.exposures.settle(row.visitor, _exposure(row), seq)
            self._supply.settle(row, seq)

    def _settle(self, row: DecisionRow, future: "Future[int]") -> None:
        kept = not future.cancelled() and future.exception() is None
        self._settle_list([row], [future.result() if kept else None])


def _exposure(row: DecisionRow) -> Exposure:
    return Exposure(
        row.placement,
        row.action_id,
        row.kind,
        row.channel,
        row.price_cents,
        row.price_of,
        row.decided_at_us,
    )
