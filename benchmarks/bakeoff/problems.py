"""Classification sets as bandit problems.

Where it stands: the first stage of the bake-off. Each row of a set becomes a round: its columns
the context, its class the action that earns 1, every other action earns 0.
"""

from __future__ import annotations

import importlib
import json
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT_DATA = "../shared/data"

Scale = Literal["standard", "range"]


class DataError(Exception):
    """A folder or a set that cannot be used, and the remedy."""


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """A set, ready to be shuffled.

    Args:
        name: As in ``index.json``.
        contexts: Without the constant, (n_rows, n_features).
        classes: Index of the action that earns 1, (n_rows,).
        n_actions: At least 2.
    """

    name: str
    contexts: npt.NDArray[np.float64]
    classes: npt.NDArray[np.int64]
    n_actions: int

    def shuffled(self, seed: int, n_rounds: int | None) -> Problem:
        """The rounds of one pass.

        Args:
            seed: The same seed gives every learner the same rounds.
            n_rounds: None for each row once. Fewer rows are cut off; more are further shuffles of
                the whole set one after another, so that no row is seen twice as often as another.
        """
        rng = np.random.default_rng(seed)
        n_rows = len(self.classes)
        wanted = n_rows if n_rounds is None else n_rounds
        shuffles = [rng.permutation(n_rows) for _ in range(-(-wanted // n_rows))]
        order = np.concatenate(shuffles)[:wanted]
        return Problem(self.name, self.contexts[order], self.classes[order], self.n_actions)


def data_folder(given: Path | None) -> Path:
    """The folder to read: the one that was given, or ``bakeoff`` in the one that SEGUE_DATA names.

    Raises:
        DataError: It has no ``index.json``.
    """
    folder = given or Path(os.environ.get("SEGUE_DATA", DEFAULT_DATA)) / "bakeoff"
    if not (folder / "index.json").is_file():
        raise DataError(
            f"{folder} has no index.json: name a folder of sets with --data, or the one above its "
            "bakeoff folder with SEGUE_DATA (docs/bakeoff.md says what it holds)"
        )
    return folder


def set_names(folder: Path) -> tuple[str, ...]:
    """The sets that ``index.json`` lists, in its order.

    Raises:
        DataError: A set without its file.
    """
    names = tuple(json.loads((folder / "index.json").read_text(encoding="utf-8")))
    for name in names:
        if not (folder / f"{name}.parquet").is_file():
            raise DataError(f"{folder}/index.json lists {name!r}, but {name}.parquet is not there")
    return names


@lru_cache(maxsize=1)
def load_problem(folder: Path, name: str, scale: Scale = "standard") -> Problem:
    """Read one set: the last column is the class, the others make the context.

    The columns are prepared without a look at the classes: text becomes one 0/1 column for each of
    its sorted values, numbers are scaled over the whole set (a constant becomes 0).

    Args:
        folder: From ``data_folder``.
        name: One of ``set_names``.
        scale: "standard" for mean 0 and standard deviation 1, "range" for 0 to 1.

    Raises:
        DataError: A number is missing or infinite, or there is only one class.
    """
    table = importlib.import_module("pyarrow.parquet").read_table(folder / f"{name}.parquet")
    *columns, labels = table.columns
    prepared = [
        part
        for title, column in zip(table.column_names, columns, strict=False)
        for part in _prepared(f"{name}: column {title!r}", column.to_numpy(), scale)
    ]
    found, classes = np.unique(np.asarray(labels.to_pylist()), return_inverse=True)
    if len(found) < 2:
        raise DataError(f"{name}: the last column holds {len(found)} class: two are needed")
    return Problem(name, np.column_stack(prepared), classes, len(found))


def _prepared(
    what: str, values: npt.NDArray[Any], scale: Scale
) -> Iterator[npt.NDArray[np.float64]]:
    if values.dtype.kind not in "biuf":
        words = values.astype(str)
        for word in np.unique(words):
            yield (words == word).astype(np.float64)
        return
    numbers = values.astype(np.float64)
    if not np.isfinite(numbers).all():
        raise DataError(f"{what} has a missing or infinite number: fill or drop it first")
    if scale == "standard":
        centre, spread = numbers.mean(), numbers.std()
    else:
        centre, spread = numbers.min(), np.ptp(numbers)
    yield (numbers - centre) / spread if spread > 0.0 else np.zeros_like(numbers)
