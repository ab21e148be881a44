"""The part of `segue.toml` that says what is scarce: budgets and inventories.

Beside `api.settings`, which holds the rest; `api.supply_checks` finds what contradicts itself over
several sections. docs/budgets.md explains both.
"""

from typing import Annotated, Self

from pydantic import AwareDatetime, Field, model_validator

from api.loop.clock import to_us
from api.section import Name, Section, nearest
from policy.catalog.action import LARGEST_CENTS
from policy.catalog.budget import Budget
from policy.catalog.inventory import MOST_UNITS, Inventory
from policy.catalog.pacing.pace import LARGEST_FIRST_PRICE
from policy.catalog.pacing.traffic import DAY_US, MONDAY_US, Period
from policy.catalog.spending import LONGEST_HOLD_MINUTES, Spending

LONGEST_PERIOD_DAYS = 3_660

Cost = Annotated[int, Field(ge=1, le=LARGEST_CENTS)]
HoldMinutes = Annotated[int, Field(ge=1, le=LONGEST_HOLD_MINUTES)]


class BudgetSettings(Section):
    """`[[budgets]]`: money per period that showing actions may spend."""

    name: Name = Field(description="Unique name.")
    amount_cents: Cost = Field(description="For each period.")
    period_days: int = Field(ge=1, le=LONGEST_PERIOD_DAYS, description="Length of a period.")
    starts: AwareDatetime | None = Field(
        None, description="Beginning of the first period; a Monday in 1970, 0:00 UTC, without it."
    )
    repeats: bool = Field(True, description="Whether one period follows the other.")
    costs: dict[Name, Cost] = Field(
        min_length=1, description="What showing each action costs at most, in cents."
    )
    hold_minutes: HoldMinutes | None = Field(
        None, description="Spent by an order within this time, and held until then."
    )
    coupons: dict[Name, Name] = Field(
        default_factory=dict, description="Code that an order has to name to redeem an action."
    )
    least_price: float = Field(
        0.0, ge=0, le=LARGEST_FIRST_PRICE, description="Reward that a cent must earn at least."
    )

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.coupons and self.hold_minutes is None:
            raise ValueError("coupons are redeemed later: hold_minutes is needed beside them")
        for name in self.coupons:
            if name not in self.costs:
                rule = f"must be one of the actions in costs{nearest(name, self.costs)}"
                raise ValueError(f"coupons names {name!r}: {rule}")
        for name, cents in self.costs.items():
            if cents > self.amount_cents:
                rule = f"must be at most amount_cents, which is {self.amount_cents}"
                raise ValueError(f"costs.{name} is {cents}: {rule}; it could never be shown")
        if not self.repeats and self.starts is None:
            raise ValueError("repeats is False: a budget for one period needs to know its starts")
        return self

    def budget(self) -> Budget:
        """The same as the policy room's value."""
        starts_us = MONDAY_US if self.starts is None else to_us(self.starts)
        return Budget(
            self.name,
            self.amount_cents,
            Period(starts_us, self.period_days * DAY_US, self.repeats),
            {name: Spending(cents, self.hold_minutes) for name, cents in self.costs.items()},
            least_price=self.least_price,
        )


class InventorySettings(Section):
    """`[[inventories]]`: units of a thing that must not be oversold."""

    name: Name = Field(description="Unique name.")
    units: int = Field(
        ge=1, le=MOST_UNITS, description="What there was to sell in all, sold ones included."
    )
    actions: tuple[Name, ...] = Field(
        min_length=1, description="Ids of the actions that offer it; each showing reserves a unit."
    )
    hold_minutes: HoldMinutes | None = Field(
        None, description="How long a unit is reserved; without it, showing takes it for good."
    )

    def inventory(self) -> Inventory:
        """The same as the policy room's value."""
        return Inventory(self.name, self.units, set(self.actions), hold_minutes=self.hold_minutes)
