"""Budgets and inventories that contradict other sections of the configuration.

Asked by `api.settings` once every section is sound by itself.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from api.section import nearest

if TYPE_CHECKING:
    from api.settings import Settings


def supply_faults(settings: "Settings") -> Iterator[str]:
    """One line for each fault, naming field, value and rule."""
    yield from _unknown(settings)
    yield from _defaults_that_cost(settings)
    yield from _coupons(settings)


def _unknown(settings: "Settings") -> Iterator[str]:
    known = {action.id for action in settings.actions}
    places = [(f"budgets[{i}].costs", tuple(one.costs)) for i, one in enumerate(settings.budgets)]
    places += [(f"inventories[{i}].actions", x.actions) for i, x in enumerate(settings.inventories)]
    for field, names in places:
        for name in names:
            if name not in known:
                yield f"{field} names {name!r}: is not in [[actions]]{nearest(name, known)}"


def _defaults_that_cost(settings: "Settings") -> Iterator[str]:
    takers = [(f"budgets[{i}]", tuple(one.costs)) for i, one in enumerate(settings.budgets)]
    takers += [(f"inventories[{i}]", one.actions) for i, one in enumerate(settings.inventories)]
    for i, placement in enumerate(settings.placements):
        for section, names in takers:
            if placement.default in names:
                rule = (
                    f"{section} says that it costs something, and the default is shown whatever is "
                    "left: add an action that stands for showing nothing"
                )
                yield f"placements[{i}].default is {placement.default!r}: {rule}"


def _coupons(settings: "Settings") -> Iterator[str]:
    """An order redeems all that an action holds, so there is one rule for when it does."""
    codes: dict[str, str] = {}
    reserved = {name for one in settings.inventories if one.hold_minutes for name in one.actions}
    for i, budget in enumerate(settings.budgets):
        for name, code in budget.coupons.items():
            field = f"budgets[{i}].coupons.{name} is {code!r}"
            if codes.setdefault(name, code) != code:
                yield f"{field}: another budget says {codes[name]!r}; an action has one coupon"
            if name in reserved:
                rule = "an inventory reserves it, and any order of it sells that; leave it out"
                yield f"{field}: {rule}"
