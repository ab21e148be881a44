"""What an evaluation reads: a placement's log or a file, with the names of what is in it.

Where it stands: in front of the policies, which ask it for features by name.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, tzinfo
from pathlib import Path
from typing import NamedTuple

from api.cli.evaluate.files import LogFile
from api.loop.facts import FLAGS
from api.storage.decision_log import DecisionLog
from policy.catalog.condition.tree import Field
from policy.catalog.condition.vocabulary import WEEKDAYS, FieldType
from policy.ope.formats.parquet import ParquetShard
from policy.ope.log import Decisions
from policy.ope.rules import Flags, Known, Label, Numbers, Texts
from segments.features.schema import SCHEMA

Chunks = Callable[[], Iterable[Decisions]]

NUMBER, TEXT = FieldType("number"), FieldType("text")
NO_SEGMENT = "none"
_TIMES = {
    Field("time", "hour"): Known(FieldType("number", (), 0, 23), Label("hour", as_="number")),
    Field("time", "weekday"): Known(FieldType("text", WEEKDAYS), Label("weekday")),
    Field("time", "date"): Known(FieldType("date"), Label("day", as_="date")),
}


class Source(NamedTuple):
    """A log to evaluate on.

    Args:
        name: Of the placement, or of the file.
        chunks: The log, as often as it is called.
        context_names: Of the context.
        feature_names: Of the pair features.
        fields: What rules may ask.
        shards: The same log in parts that processes read; none where it cannot be cut.
    """

    name: str
    chunks: Chunks
    context_names: tuple[str, ...]
    feature_names: tuple[str, ...]
    fields: Mapping[Field, Known]
    shards: tuple[ParquetShard, ...] = ()


def of_placement(database: Path, placement: str, timezone: tzinfo = UTC) -> Source:
    """The log of a placement.

    Raises:
        StoreError: There is none.
    """
    log = DecisionLog(database, placement, timezone)
    return Source(
        placement, log.chunks, log.context_names, log.feature_names, fields_of(log.context_names)
    )


def of_file(file: LogFile) -> Source:
    """The log of a file.

    Raises:
        LogError: It cannot be read.
    """
    names = file.context_names()
    fields: dict[Field, Known] = {
        Field("context", name): Known(NUMBER, Numbers(column)) for column, name in enumerate(names)
    }
    for label in file.labels:
        fields[Field(label)] = Known(TEXT, Label(label))
    return Source(file.path.name, file.chunks, names, (), fields, file.shards())


def fields_of(context_names: tuple[str, ...]) -> dict[Field, Known]:
    """What rules may ask of a placement's log, read from what its policies saw.

    A number that a request left out was 0 to the policy, and is 0 here. In conditions of the
    service it is unknown.

    Example:
        >>> [str(name) for name in fields_of(("intercept", "known", "d=a", "d=b", "x"))][:4]
        ['segment', 'profile.known', 'context.d', 'context.x']
    """
    fields: dict[Field, Known] = {Field("segment"): Known(TEXT, Label("segment", NO_SEGMENT))}
    texts: dict[str, dict[str, int]] = {}
    readings = dict(zip(SCHEMA.feature_names, SCHEMA.readings, strict=True))
    for column, name in enumerate(context_names):
        if name in FLAGS:
            fields[Field("profile", name)] = Known(FieldType("flag"), Flags(column))
        elif name in readings:
            read = Numbers(column, readings[name].natural)
            fields[Field("profile", name)] = Known(NUMBER, read)
        elif "=" in name:
            text, _, value = name.partition("=")
            texts.setdefault(text, {})[value] = column
            columns = texts[text]
            kind = FieldType("text", tuple(columns))
            fields[Field("context", text)] = Known(kind, Texts(columns))
        elif not name.startswith("segment_") and name != "intercept":
            fields[Field("context", name)] = Known(NUMBER, Numbers(column))
    return fields | _TIMES
