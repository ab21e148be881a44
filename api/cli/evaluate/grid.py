"""Configurations to search among, from a TOML file whose values may be lists.

    kind = ["linucb", "softmax"]
    floor = [0.01, 0.05]

is every combination; a parameter that a kind does not have is left out of it.
"""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

from api.cli.evaluate.policies import Wanted
from api.cli.evaluate.saved import toml_of
from policy.bandits.build import POLICY_KINDS, policy_parameters
from policy.errors import EvaluationError, suggestion

MOST_CANDIDATES = 500


def candidates_of(path: Path) -> list[Wanted]:
    """Every configuration of a file.

    Raises:
        EvaluationError: It cannot be read, names no kind or an unknown one, a parameter that none
            of its kinds has, or too many combinations.
    """
    said = {
        name: value if isinstance(value, list) else [value] for name, value in toml_of(path).items()
    }
    kinds = said.pop("kind", [])
    for kind in kinds:
        if kind not in POLICY_KINDS:
            hint = suggestion(str(kind), POLICY_KINDS)
            raise EvaluationError(f"--search {path}: kind is {kind!r}: {hint}")
    known = {name for kind in kinds for name in policy_parameters(kind)}
    for name in said:
        if name not in known:
            raise EvaluationError(
                f"--search {path}: none of its kinds has a parameter {name!r}: "
                f"{suggestion(name, known)}"
            )
    found = {one.name: one for kind in kinds for one in _of_kind(kind, said)}
    if not 0 < len(found) <= MOST_CANDIDATES:
        raise EvaluationError(
            f"--search {path}: {len(found)} configurations: must be 1 to {MOST_CANDIDATES}; give "
            "kind, and fewer values of each parameter"
        )
    return list(found.values())


def _of_kind(kind: str, said: dict[str, list[Any]]) -> Iterator[Wanted]:
    own = {name: values for name, values in said.items() if name in policy_parameters(kind)}
    for values in product(*own.values()):
        parameters = dict(zip(own, values, strict=True))
        told = " ".join(f"{name}={value}" for name, value in parameters.items())
        yield Wanted(f"{kind} {told}".strip(), None, kind, parameters)
