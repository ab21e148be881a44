"""Where the commands find visitors and fits: a store's file, or parquet and model files."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from api.cli.segments.files import read_crowd, read_fit
from api.shards.local import Local, cores
from api.storage.base import RefitRow, StoreError
from api.storage.visitor_log import Crowd, SavedFit, VisitorLog
from segments.batch import matrix
from segments.cluster.segmentation import Segmentation


@dataclass(frozen=True, slots=True, eq=False)
class NamedFit:
    """A segmentation to look at.

    Args:
        name: "fit 3", or the name of its file.
        fitted_at: The time that its visitors are of; None where nobody wrote it down.
        segmentation: The model.
    """

    name: str
    fitted_at: datetime | None
    segmentation: Segmentation


@dataclass(frozen=True, slots=True)
class Source:
    """A store's file or a parquet file of visitors.

    Args:
        path: Of either.
        target: Of parquet, the column of cents that visitors went on to spend.
    """

    path: Path
    target: str | None = None

    @property
    def log(self) -> VisitorLog | None:
        """The store, if it is one."""
        return None if self.path.suffix == ".parquet" else VisitorLog(self.path)

    def fits(self) -> tuple[SavedFit, ...]:
        """The store's fits; a parquet file has none."""
        return () if self.log is None else self.log.fits()

    def refits(self) -> tuple[RefitRow, ...]:
        """The store's refits, also those that were not adopted; a parquet file has none."""
        return () if self.log is None else self.log.refits()

    def fit(self, wanted: str | None) -> NamedFit:
        """One fit.

        Args:
            wanted: Its number in the store, a model file, or None for the newest of the store.

        Raises:
            StoreError: There is none such.
        """
        if wanted is not None and not wanted.isdecimal():
            segmentation, fitted_at = read_fit(Path(wanted))
            return NamedFit(Path(wanted).name, fitted_at, segmentation)
        fits = self.fits()
        if not fits:
            raise StoreError(
                f"{self.path} holds no segmentation; name a file of one, or fit one with "
                "`segue segments fit`"
            )
        found = [fit for fit in fits if wanted is None or fit.version == int(wanted)]
        if not found:
            known = ", ".join(str(fit.version) for fit in fits)
            raise StoreError(f"{self.path} holds no fit {wanted}; it holds {known}")
        last = found[-1]
        return NamedFit(f"fit {last.version}", last.fitted_at, last.segmentation)

    def now(self) -> Crowd:
        """Visitors as they are: of a store, at the last event of its log."""
        if self.log is None:
            return read_crowd(self.path, self.target)
        at, pipeline = self.log.latest(), self.log.pipeline()
        with Local(cores()) as map_chunks:
            visitors, vectors = matrix(pipeline, at, map_chunks)
        return Crowd(at, tuple(visitors), vectors, pipeline.feature_names)

    def with_outcome(self, days: int) -> Crowd:
        """Visitors of so many days ago with what they spent since; of parquet, with the target.

        Raises:
            StoreError: Parquet without a target column, or a log that is no longer than that.
        """
        if self.log is None:
            if self.target is None:
                raise StoreError(f"{self.path}: name the column of the outcome with --target")
            return read_crowd(self.path, self.target)
        at = self.log.latest() - timedelta(days=days)
        (crowd,) = self.log.crowds([at], outcome_days=days + 1.0)  # the last event included
        if not crowd.visitors:
            raise StoreError(
                f"{self.path} knows nobody of {days} days before its last event; choose fewer days"
            )
        return crowd
