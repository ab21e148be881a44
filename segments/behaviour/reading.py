"""A session's reading by name: for conditions in deviations, for policies on a scale of about 1.

Between `segments.behaviour.session` and whoever is told which names to read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from segments.behaviour.past import MEASURES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from segments.behaviour.past import Measure
    from segments.behaviour.session import SessionReading

MOST_DEVIATIONS: Final = 3.0
"""Deviations that read as 1; more count no further for a policy."""
MOST_BITS: Final = 10.0


def _has_changed(measure: Measure) -> Callable[[SessionReading], float]:
    return lambda reading: float(measure in reading.changed)


_NATURAL: Final[dict[str, Callable[[SessionReading], float]]] = {
    "gap": lambda reading: reading.gap,
    "pace": lambda reading: reading.pace,
    "depth": lambda reading: reading.depth,
    "price": lambda reading: reading.price,
    "surprise": lambda reading: reading.category_surprise,
    **{f"{measure}_changed": _has_changed(measure) for measure in MEASURES},
}
BEHAVIOURS: Final = tuple(_NATURAL)
"""What can be read of a visitor's session against their history, by name."""
CHANGES: Final = frozenset(f"{measure}_changed" for measure in MEASURES)
"""Those that are 0 or 1."""


def natural(reading: SessionReading, name: str) -> float:
    """One of `BEHAVIOURS`: deviations, bits, or 0 and 1.

    Example:
        >>> from segments.behaviour.session import SessionReading
        >>> natural(SessionReading(pace=-4.5), "pace")
        -4.5
    """
    return _NATURAL[name](reading)


def behaviour_vector(reading: SessionReading, names: Sequence[str]) -> npt.NDArray[np.float32]:
    """Some of `BEHAVIOURS` on a scale of about 1, shape (n_names,).

    Example:
        >>> from segments.behaviour.session import SessionReading
        >>> behaviour_vector(SessionReading(pace=-1.5, price=99.0), ("pace", "price")).tolist()
        [-0.5, 1.0]
    """
    return np.array([_scaled(name, natural(reading, name)) for name in names], np.float32)


def _scaled(name: str, value: float) -> float:
    if name in CHANGES:
        return value
    most = MOST_BITS if name == "surprise" else MOST_DEVIATIONS
    return max(-1.0, min(value / most, 1.0))
