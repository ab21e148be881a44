"""An inventory: units of a thing that decisions reserve, orders sell, and nobody can oversell.

In front of eligibility, which holds back what is out of stock. A fold over the log of decisions and
of orders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from policy.bounds import whole_parameter
from policy.catalog.holds import Hold, Holds
from policy.catalog.in_flight import InFlight
from policy.catalog.spending import LONGEST_HOLD_MINUTES, MINUTE_US
from policy.catalog.terms import check_terms
from policy.errors import BookingError, ParameterError, StateError, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Literal

    import numpy.typing as npt

    from policy.model_file import JSON

MOST_UNITS = 10**9


class Inventory:
    """So many units, of which each decision for an action reserves one.

        left = units - sold - reserved - on their way into the log

    An order sells what was reserved; a reservation that nobody orders on expires, and its unit is
    there for the next. Where nothing is left, the actions are held back, so decisions reserve and
    sell no more than there is.

    **In the log and before.** As for a budget: ``begin`` reserves while a decision's row is on its
    way into the log; ``decided`` makes it part of the fold, or ``cancel`` forgets it. Rows that are
    folded are facts: an order of more than was reserved, or after the reservation expired, is sold
    whatever is left.

    Time is passed in and never runs back: an earlier moment counts as the latest one seen.

    Args:
        name: Of the inventory.
        units: What there was to sell in all, what was sold already included; at least 1.
        actions: Ids of the actions that offer it.
        hold_minutes: How long a unit is reserved; None where the decision itself takes it for good.

    Raises:
        ParameterError: A number is out of its range, or there is no action.

    Example:
        >>> seats = Inventory("seats", 1, ["last-seat"], hold_minutes=15)
        >>> seats.begin("d1", "last-seat")
        >>> seats.held_back(now_us=0)
        {'last-seat': 'out_of_stock'}
        >>> seats.decided("d1", "last-seat", now_us=0)
        >>> seats.left_at(14 * MINUTE_US), seats.left_at(15 * MINUTE_US)
        (0, 1)
        >>> seats.sell("d1", units=1, now_us=MINUTE_US)
        >>> seats.sold, seats.left_at(15 * MINUTE_US)
        (1, 0)
    """

    kind: ClassVar[str] = "inventory"
    schema: ClassVar[int] = 1

    def __init__(
        self, name: str, units: int, actions: Iterable[str], *, hold_minutes: int | None = None
    ) -> None:
        self.name = name
        self.units = whole_parameter("units", units, 1, MOST_UNITS)
        self.actions = tuple(sorted(actions))
        if not self.actions:
            raise ParameterError(f"inventory {shown(name)} has no action that offers it")
        if hold_minutes is not None:
            whole_parameter("hold_minutes", hold_minutes, 1, LONGEST_HOLD_MINUTES)
        self.hold_minutes = hold_minutes
        self.sold = 0
        self._now_us = 0
        self._holds = Holds()
        self._in_flight = InFlight()

    @property
    def reserved(self) -> int:
        """Units that logged decisions reserve, and that may or may not be ordered."""
        return self._holds.amount

    def left_at(self, now_us: int) -> int:
        """Units that decisions may still reserve at a moment; below 0 where facts oversold it."""
        expired = sum(hold.amount for hold in self._holds.due(now_us))
        return self.units - self.sold - self.reserved + expired - self._in_flight.amount

    def held_back(self, now_us: int) -> dict[str, Literal["out_of_stock"]]:
        """The actions, where nothing is left.

        Args:
            now_us: Microseconds since 1970.
        """
        return {} if self.left_at(now_us) > 0 else dict.fromkeys(self.actions, "out_of_stock")

    def begin(self, decision_id: str, action_id: str) -> None:
        """Reserve for a decision that is on its way into the log.

        Raises:
            BookingError: The decision has begun, or reserves, already; then nothing changes.
        """
        self._check_new(decision_id)
        if action_id in self.actions:
            self._in_flight.begin(decision_id, 1)

    def cancel(self, decision_id: str) -> None:
        """Give back what was begun: the row was not kept."""
        self._in_flight.end(decision_id)

    def decided(self, decision_id: str, action_id: str, now_us: int) -> None:
        """Fold a logged decision.

        Args:
            decision_id: Its own.
            action_id: What was chosen.
            now_us: When it was decided.

        Raises:
            BookingError: The decision reserves already; then nothing changes.
        """
        self._check_new(decision_id)
        self._in_flight.end(decision_id)
        now_us = self._advance(now_us)
        if action_id not in self.actions:
            return
        if self.hold_minutes is None:
            self.sold += 1
        else:
            expires_us = now_us + self.hold_minutes * MINUTE_US
            self._holds.add(decision_id, Hold(action_id, 1, expires_us, 1.0))

    def sell(self, decision_id: str, units: int, now_us: int) -> None:
        """Fold what was ordered on a decision; its reservation ends with it.

        Args:
            decision_id: Whose reservation it was.
            units: How many; 0 where nobody will order on it any more.
            now_us: When that became known.

        Raises:
            BookingError: ``units`` is no whole number within bounds; then nothing changes.
        """
        if isinstance(units, bool) or not isinstance(units, int) or not 0 <= units <= MOST_UNITS:
            rule = f"must be a whole number from 0 to {MOST_UNITS}"
            raise BookingError(f"units is {shown(units)}: {rule}")
        self._advance(now_us)
        self._holds.take(decision_id)
        self.sold += units

    def state(self) -> tuple[dict[str, JSON], dict[str, npt.NDArray[Any]]]:
        """What was folded, for ``policy.model_file.dump``; not what has only begun.

        Returns:
            A manifest, and arrays of what is reserved.
        """
        pairs, arrays = self._holds.state()
        folded: dict[str, JSON] = {"sold": self.sold, "now_us": self._now_us, "holds": pairs}
        return self._terms() | folded, arrays

    def load_state(
        self, manifest: Mapping[str, JSON], arrays: Mapping[str, npt.NDArray[Any]]
    ) -> None:
        """Resume from ``state``, to the bit.

        Raises:
            StateError: The state is damaged or that of an inventory on other terms; then nothing
                changes.
        """
        check_terms(manifest, self._terms())
        sold, now_us = manifest.get("sold"), manifest.get("now_us")
        for field, number in (("sold", sold), ("now_us", now_us)):
            if isinstance(number, bool) or not isinstance(number, int) or number < 0:
                raise StateError(f"saved {field} is {shown(number)}: must be a whole number from 0")
        self._holds = Holds.of_state(manifest.get("holds"), arrays)
        self.sold, self._now_us = int(str(sold)), int(str(now_us))

    def _advance(self, now_us: int) -> int:
        self._now_us = max(self._now_us, now_us)
        for _ in self._holds.expired(self._now_us):
            pass
        return self._now_us

    def _check_new(self, decision_id: str) -> None:
        if decision_id in self._holds:
            raise BookingError(f"decision {shown(decision_id)} was booked before")

    def _terms(self) -> dict[str, JSON]:
        """What this state was made under."""
        return {
            "kind": self.kind,
            "schema": self.schema,
            "name": self.name,
            "units": self.units,
            "actions": list(self.actions),
            "hold_minutes": self.hold_minutes,
        }
