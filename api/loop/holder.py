"""One budget or inventory of the service, with how far into the log it reaches.

Under `api.loop.supply`, which holds all of them.
"""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy.typing as npt
import structlog

from api.storage.base import BookingRow, SettlementRow
from policy import model_file
from policy.catalog.budget import Budget
from policy.catalog.inventory import Inventory
from policy.catalog.spending import MINUTE_US
from policy.errors import BookingError, StateError

log = structlog.get_logger()

Saved = tuple[dict[str, model_file.JSON], Mapping[str, npt.NDArray[Any]]]


class Place(NamedTuple):
    """How far into the log of decisions, and into that of settlements."""

    decided: int = 0
    settled: int = 0


class Holder:
    """Tells a budget or an inventory what concerns it, each row of the log once.

    Args:
        scarce: The budget or inventory.
        offered: Actions of each placement: every decision where one of its own is offered sets the
            pace of a budget.
    """

    def __init__(self, scarce: Budget | Inventory, offered: Mapping[str, Collection[str]]) -> None:
        self.scarce = scarce
        self.key = f"{scarce.kind}/{scarce.name}"
        self.place = Place()
        self.saved = Place()
        self._actions = frozenset(scarce.spending if isinstance(scarce, Budget) else scarce.actions)
        self._placements = frozenset(
            name for name, actions in offered.items() if not self._actions.isdisjoint(actions)
        )

    @property
    def holds_us(self) -> dict[str, int]:
        """How long each action holds what an order may use, in microseconds."""
        if isinstance(self.scarce, Budget):
            minutes = {name: one.hold_minutes for name, one in self.scarce.spending.items()}
        else:
            minutes = dict.fromkeys(self.scarce.actions, self.scarce.hold_minutes)
        return {name: count * MINUTE_US for name, count in minutes.items() if count is not None}

    def is_asked_by(self, ids: tuple[str, ...]) -> bool:
        """Whether one of these actions takes from it."""
        return not self._actions.isdisjoint(ids)

    def concerns(self, placement: str, action_id: str) -> bool:
        """Whether a decision is to be folded."""
        return placement in self._placements or action_id in self._actions

    def decided(self, row: BookingRow) -> None:
        """Fold a decision of the log."""
        if row.seq <= self.place.decided:
            return
        self.place = self.place._replace(decided=row.seq)
        if self.concerns(row.placement, row.action_id):
            try:
                self.scarce.decided(row.decision_id, row.action_id, row.decided_at_us)
            except BookingError as error:
                log.error("decision_not_booked", holder=self.key, seq=row.seq, error=str(error))

    def settled(self, row: SettlementRow) -> None:
        """Fold a settlement of the log."""
        if row.seq <= self.place.settled:
            return
        self.place = self.place._replace(settled=row.seq)
        if row.action_id not in self.holds_us:
            return
        try:
            self._settle(row)
        except BookingError as error:
            log.error("order_not_booked", holder=self.key, seq=row.seq, error=str(error))

    def state(self) -> Saved:
        """Everything folded, as copies, and up to where."""
        manifest, arrays = self.scarce.state()
        mine: dict[str, model_file.JSON] = {
            "place": list(self.place),
            "placements": self._offered_at,
        }
        return manifest | mine, arrays

    def load(self, data: bytes) -> None:
        """Resume from a saved state.

        Raises:
            ModelFileError: It is damaged.
            StateError: It is of another configuration; then nothing changes.
        """
        manifest, arrays = model_file.load(data)
        if manifest.get("placements") != self._offered_at:
            raise StateError("it is offered at other placements than when it was saved")
        match manifest.get("place"):
            case [int(decided), int(settled)]:
                self.scarce.load_state(manifest, arrays)
                self.place = self.saved = Place(decided, settled)
            case other:
                raise StateError(f"saved place is {other!r:.80}: must be two whole numbers")

    @property
    def _offered_at(self) -> list[model_file.JSON]:
        return [*sorted(self._placements)]

    def _settle(self, row: SettlementRow) -> None:
        if isinstance(self.scarce, Inventory):
            self.scarce.sell(row.decision_id, row.units, row.at_us)
            return
        cents = self.scarce.spending[row.action_id].cents if row.cents is None else row.cents
        self.scarce.spend(row.decision_id, row.action_id, cents, row.at_us)
