"""What decisions take that are on their way into the log.

Under budgets (cents) and inventories (units): of two decisions at once, the second must not get
what the first one has taken, though neither is durable yet.
"""

from __future__ import annotations

from policy.errors import BookingError, shown


class InFlight:
    """Amounts by decision, until each is in the log or given up. Not part of any saved state.

    Example:
        >>> in_flight = InFlight()
        >>> in_flight.begin("d1", 300)
        >>> in_flight.amount
        300
        >>> in_flight.end("d1")
        >>> in_flight.amount
        0
    """

    def __init__(self) -> None:
        self.amount = 0
        self._begun: dict[str, int] = {}

    def begin(self, decision_id: str, amount: int) -> None:
        """Take so much.

        Raises:
            BookingError: The decision has begun already; then nothing changes.
        """
        if decision_id in self._begun:
            raise BookingError(f"decision {shown(decision_id)} was begun before")
        self._begun[decision_id] = amount
        self.amount += amount

    def end(self, decision_id: str) -> None:
        """Let go of what the decision took, if it took anything."""
        self.amount -= self._begun.pop(decision_id, 0)
