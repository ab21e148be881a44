"""The log of an evaluation from a file, by the ending of its name."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from policy.errors import EvaluationError
from policy.ope.formats.csv_log import names_of_csv, read_csv
from policy.ope.formats.dsjson import DsjsonReader, numbers_of
from policy.ope.formats.obp import read_npz
from policy.ope.formats.parquet import (
    ParquetShard,
    names_of_parquet,
    parquet_shards,
    read_parquet,
)
from policy.ope.formats.table import CONTEXT, LOGGING, Columns
from policy.ope.log import Decisions
from policy.ope.propensity import with_estimates
from policy.ope.screen import OnFault, Screen
from policy.ope.slices import joined

ENDINGS = (".csv", ".parquet", ".npz", ".dsjson")
LABELLED = (".csv", ".parquet")
PROPENSITY = Columns().propensity


@dataclass
class LogFile:
    """A log that is read from its start as often as it is asked for.

    Args:
        path: `.csv`, `.parquet`, OBP's `.npz` or Vowpal Wabbit's `.dsjson`.
        labels: Columns to tell results apart by; only of `.csv` and `.parquet`.
        on_fault: What to do with rows that cannot be used.
        estimates: Whether propensities are estimated, from the whole log in memory.

    Attributes:
        screen: Of the latest reading: what it left out.

    Raises:
        EvaluationError: Another ending, or labels or estimates of a format that has none.
    """

    path: Path
    labels: tuple[str, ...] = ()
    on_fault: OnFault = "refuse"
    estimates: bool = False
    screen: Screen = field(init=False)
    _estimated: Decisions | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        if self.path.suffix not in ENDINGS:
            raise EvaluationError(f"--log is {self.path}: must end in {', '.join(ENDINGS)}")
        if self.labels and self.path.suffix not in LABELLED:
            raise EvaluationError(
                f"--by {self.labels[0]}: {self.path.suffix} files have no labels; only "
                f"{' and '.join(LABELLED)} have"
            )
        if self.estimates and self.path.suffix not in LABELLED:
            raise EvaluationError(
                f"--estimate-propensities: {self.path.suffix} files cannot do without those that "
                f"were logged; only {' and '.join(LABELLED)} can"
            )
        self.screen = Screen(self.on_fault)

    def chunks(self) -> Iterable[Decisions]:
        """The chunks of the log.

        Raises:
            EvaluationError: Propensities are to be estimated though the log has them.
            LogError: No such file, or a row that cannot be used.
        """
        if self.estimates:
            if self._estimated is None:
                self._estimated = self._with_estimates()
            return [self._estimated]
        return self._read(Columns(labels=self.labels))

    def _with_estimates(self) -> Decisions:
        names = self._names()
        logged = [one for one in names if one == PROPENSITY or one.startswith(LOGGING)]
        if logged:
            raise EvaluationError(
                f"--estimate-propensities: the log has the column {logged[0]!r}, and what was "
                "logged is worth more than any estimate: leave out the option, or the column if it "
                "is wrong"
            )
        return with_estimates(joined(self._read(Columns(propensity=None, labels=self.labels))))

    def _read(self, columns: Columns) -> Iterable[Decisions]:
        screen = self.screen = Screen(self.on_fault)
        if self.path.suffix == ".csv":
            return read_csv(self.path, columns, screen)
        if self.path.suffix == ".parquet":
            return read_parquet(self.path, columns, screen)
        if self.path.suffix == ".npz":
            return [read_npz(self.path, screen)]
        return DsjsonReader(self.path, screen, numbers_of(self.path)).chunks()

    def shards(self) -> tuple[ParquetShard, ...]:
        """The row groups of the log, for processes that read for themselves.

        None where it cannot be cut: of another format, where propensities are estimated from all of
        it, or where rows are left out, since numbers of later rows then depend on all before.

        Raises:
            LogError: No such file, or a column that is missing.
        """
        if self.path.suffix != ".parquet" or self.on_fault != "refuse" or self.estimates:
            return ()
        return parquet_shards(self.path.absolute(), Columns(labels=self.labels))

    def context_names(self) -> tuple[str, ...]:
        """What the entries of its context are called; numbers where the format has no names.

        Raises:
            LogError: No such file, or it cannot be read.
        """
        if self.path.suffix == ".dsjson":
            return tuple(name.removeprefix("shared.") for name in numbers_of(self.path))
        if self.path.suffix == ".npz":
            width = read_npz(self.path, Screen(self.on_fault)).context.shape[1]
            return tuple(str(column) for column in range(width))
        names = self._names()
        return tuple(name.removeprefix(CONTEXT) for name in names if name.startswith(CONTEXT))

    def _names(self) -> tuple[str, ...]:
        """Of the columns of a table."""
        read = names_of_csv if self.path.suffix == ".csv" else names_of_parquet
        return read(self.path)
