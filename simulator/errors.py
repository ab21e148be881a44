"""What can go wrong in this room, as one small tree.

SimulatorError (a ValueError)
├── WorldError     a world that cannot be, or a scenario file that does not describe one
├── ActionError    an action outside of the space, or one that is masked
├── StepError      an environment that is stepped, cloned or restored out of turn
└── MissingExtra   a package of an extra is not installed; the message names the command
"""

from __future__ import annotations


class SimulatorError(ValueError):
    """Anything that this room refuses."""


class WorldError(SimulatorError):
    """A world that cannot be.

    Args:
        field: Name of the parameter.
        value: What was given.
        rule: What would have been accepted.

    Example:
        >>> str(WorldError("loss", -1.0, "must be a number of at least 0"))
        'loss is -1.0: must be a number of at least 0'
    """

    def __init__(self, field: str, value: object, rule: str) -> None:
        super().__init__(f"{field} is {value!r:.80}: {rule}")


class ActionError(SimulatorError):
    """An action outside of the space, or one that the shopper's mask excludes."""


class StepError(SimulatorError):
    """An environment that is used out of turn."""


class MissingExtra(SimulatorError):  # noqa: N818  # it says what is missing, as sklego's does
    """A package of an extra is not installed.

    Example:
        >>> str(MissingExtra("numba", "train"))
        "numba is not installed: pip install 'segue[train]'"
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed: pip install 'segue[{extra}]'")
