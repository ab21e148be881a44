"""Reads `segue.toml`: from bytes to checked settings, or to a line for each fault.

In front of `api.settings`, which holds what may be said; here is how it is said what is wrong.
"""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError as UnreadableError

from api.personalizer.settings import PersonalizerSettings
from api.retention_settings import RetentionSettings
from api.reward_settings import RewardEventSettings, RewardSettings
from api.rule_settings import (
    CapSettings,
    ConsentSettings,
    HoldoutSettings,
    LimitSettings,
    PriceRangeSettings,
    PriceSettings,
)
from api.section import nearest
from api.settings import (
    AbsenceSettings,
    ActionSettings,
    EventSettings,
    KeySettings,
    PlacementSettings,
    SegmentSettings,
    ServiceSettings,
    Settings,
    SettingsError,
)
from api.supply_settings import BudgetSettings, InventorySettings


def load_settings(path: Path) -> Settings:
    """Read and check a `segue.toml`.

    Args:
        path: The file. A relative `service.database` is taken from its folder.

    Returns:
        The checked settings.

    Raises:
        SettingsError: When the file cannot be read, is not TOML, or breaks a rule; the message
            has one line for each fault.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            f"{path}: cannot be read: {error.strerror}; README.md shows a first configuration"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from None
    return parse_settings(data, source=path)


def parse_settings(data: Mapping[str, Any], *, source: Path = Path("segue.toml")) -> Settings:
    """Check what a configuration says; see `load_settings`."""
    try:
        settings = Settings(**dict(data))
    except ValidationError as error:
        faults = [fault for item in error.errors() for fault in _faults(item)]
        raise SettingsError("\n".join(f"{source}: {fault}" for fault in faults)) from None
    except UnreadableError as error:
        raise SettingsError(f"environment: {error}; a whole section is given as JSON") from None
    database = source.parent / settings.service.database
    service = settings.service.model_copy(update={"database": database})
    return settings.model_copy(update={"service": service})


def _faults(error: ErrorDetails) -> list[str]:
    place, rule = error["loc"], error["msg"].removeprefix("Value error, ")
    if not place:
        return rule.splitlines()  # of the whole: each names its field itself
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    value = error.get("input")
    if error["type"] == "extra_forbidden":
        rule = "no such setting" + nearest(str(place[-1]), _names_beside(place))
    if error["type"] == "missing":
        rule = "is needed"
    # Where a hash belongs somebody may have put the key itself.
    secret = place[0] == "keys" and place[-1] not in ("name", "scopes")
    plain = isinstance(value, str | int | float | bool) and not secret
    shown = f" is {value!r:.80}" if plain else ""
    return [f"{field.lstrip('.')}{shown}: {rule}"]


def _names_beside(place: tuple[int | str, ...]) -> Iterable[str]:
    """What else there is in the section that a setting stands in."""
    sections: dict[int | str, type[BaseModel]] = {
        "service": ServiceSettings,
        "events": EventSettings,
        "segments": AbsenceSettings if "absences" in place[:-1] else SegmentSettings,
        "retention": RetentionSettings,
        "keys": KeySettings,
        "consent": ConsentSettings,
        "limits": LimitSettings,
        "personalizer": PersonalizerSettings,
        "budgets": BudgetSettings,
        "inventories": InventorySettings,
        "actions": CapSettings if "cap" in place[:-1] else ActionSettings,
        "placements": _placement_section(place),
    }
    return (sections[place[0]] if len(place) > 1 else Settings).model_fields


def _placement_section(place: tuple[int | str, ...]) -> type[BaseModel]:
    sections: tuple[tuple[str, type[BaseModel]], ...] = (
        ("price", PriceSettings),
        ("price_range", PriceRangeSettings),
        ("holdout", HoldoutSettings),
    )
    for name, section in sections:
        if name in place[:-1]:
            return section
    if "reward" not in place[:-1]:
        return PlacementSettings
    return RewardEventSettings if "events" in place[:-1] else RewardSettings
