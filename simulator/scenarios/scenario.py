"""Worlds from TOML: the shipped ones by name, others by path.

    version = 1
    about = "one sentence"
    horizon_days = 180
    [effects]                      # any of simulator.dynamics.effects.Effects
    loss = 3.3
    [[segments]]                   # any of simulator.dynamics.population.Segment
    name = "loyal"
    [[demand]]                     # visits times the factor, on these days of the year
    first_day = 325
    last_day = 355
    factor = 1.8
    [[market]]                     # the market's prices, likewise
    [[actions]]                    # any of simulator.dynamics.world.Action; else the default ones

What is left out keeps its default. An unknown key is an error that names the nearest known one.
"""

from __future__ import annotations

import tomllib
from dataclasses import fields, replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from policy.errors import suggestion
from simulator.dynamics.effects import Effects
from simulator.dynamics.population import Population, Segment
from simulator.dynamics.world import ACTIONS, DAYS_A_YEAR, Action, World
from simulator.errors import WorldError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Made = TypeVar("Made")

_TOP: Final = (
    "version", "about", "horizon_days", "spend_p", "effects", "segments", "demand", "market",
    "actions",
)  # fmt: skip
_SPAN: Final = ("first_day", "last_day", "factor")
LARGEST_BYTES: Final = 1_000_000


def scenario_names() -> tuple[str, ...]:
    """The shipped worlds.

    Example:
        >>> "steady" in scenario_names()
        True
    """
    here = files("simulator.scenarios").iterdir()
    return tuple(sorted(f.name.removesuffix(".toml") for f in here if f.name.endswith(".toml")))


def load_world(name_or_path: str) -> World:
    """A world by the name of a shipped scenario, or by the path of a TOML file.

    ``NAME~SEED`` is that world with each effect off by up to a quarter, drawn from the seed: a
    policy that was trained on the one is judged on the other.

    Raises:
        WorldError: No such scenario or file, or one that does not describe a world.

    Example:
        >>> load_world("steady").name
        'steady'
        >>> load_world("steady~7").effects.loss == load_world("steady").effects.loss
        False
    """
    base, tilde, perturbation = name_or_path.rpartition("~")
    if tilde:
        if not perturbation.isdecimal():
            raise WorldError("scenario", name_or_path, "must have a whole number after ~")
        world = load_world(base).perturbed(np.random.default_rng(int(perturbation)))
        return replace(world, name=name_or_path)
    if name_or_path in scenario_names():
        text = files("simulator.scenarios").joinpath(f"{name_or_path}.toml").read_text("utf-8")
        return parse_world(name_or_path, text)
    path = Path(name_or_path)
    if not path.suffix:
        hint = suggestion(name_or_path, scenario_names())
        raise WorldError("scenario", name_or_path, f"is none of ours ({hint}) and no .toml file")
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise WorldError("scenario", name_or_path, f"must have at most {LARGEST_BYTES} bytes")
        return parse_world(path.stem, path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as cause:
        raise WorldError("scenario", name_or_path, f"cannot be read: {cause}") from None


def parse_world(name: str, text: str) -> World:
    """The world that a scenario's text describes.

    Raises:
        WorldError: It is not TOML, has an unknown key, or a value that cannot be.
    """
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as cause:
        raise WorldError("scenario", name, f"is not TOML: {cause}") from None
    _check_keys("scenario", given, _TOP)
    if "version" not in given:
        raise WorldError(
            "version", None, "must be given, a whole number that changes with the text"
        )
    segments = tuple(_made("segments", Segment, row) for row in _rows(given, "segments"))
    actions = tuple(_made("actions", Action, row) for row in _rows(given, "actions"))
    population = {"spend_p": given["spend_p"]} if "spend_p" in given else {}
    if segments:
        population["segments"] = segments
    return World(
        name,
        _whole("version", given["version"]),
        _effects(given.get("effects", {})),
        _made("scenario", Population, population),
        actions or ACTIONS,
        _year(_rows(given, "demand"), "demand"),
        _year(_rows(given, "market"), "market"),
        _whole("horizon_days", given.get("horizon_days", 180)),
    )


def _effects(given: Any) -> Effects:
    if not isinstance(given, dict):
        raise WorldError("effects", given, "must be a table")
    _check_keys("effects", given, Effects._fields)
    return Effects(**{name: _number(name, value) for name, value in given.items()}).checked()


def _year(spans: list[dict[str, Any]], name: str) -> tuple[float, ...]:
    """364 factors: 1 where no span covers the day, the product where several do."""
    days = [1.0] * DAYS_A_YEAR
    for span in spans:
        _check_keys(name, span, _SPAN)
        if missing := [key for key in _SPAN if key not in span]:
            raise WorldError(f"{name}.{missing[0]}", None, "must be given")
        first, last = (_whole(f"{name}.{key}", span[key]) for key in _SPAN[:2])
        if not 0 <= first <= last < DAYS_A_YEAR:
            rule = f"must be days in order, from 0 to {DAYS_A_YEAR - 1}"
            raise WorldError(f"{name}.first_day, last_day", (first, last), rule)
        factor = _number(f"{name}.factor", span["factor"])
        for day in range(first, last + 1):
            days[day] *= factor
    return tuple(days)


def _made(where: str, make: Callable[..., Made], row: dict[str, Any]) -> Made:
    known = [field.name for field in fields(make)]  # type: ignore[arg-type]  # dataclasses only
    _check_keys(where, row, known)
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}
    try:
        return make(**values)
    except TypeError as cause:
        raise WorldError(where, row, f"does not fit: {cause}") from None


def _rows(given: dict[str, Any], name: str) -> list[dict[str, Any]]:
    rows = given.get(name, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise WorldError(name, rows, f"must be tables, each under [[{name}]]")
    return rows


def _check_keys(where: str, given: dict[str, Any], known: Iterable[str]) -> None:
    for key, value in given.items():
        if key not in known:
            raise WorldError(f"{where}.{key}", value, f"is unknown; {suggestion(key, known)}")


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WorldError(name, value, "must be a number")
    return float(value)


def _whole(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise WorldError(name, value, "must be a whole number")
    return value
