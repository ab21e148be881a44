"""What conditions may ask, and the answers: visitor, request and moment as plain values.

Stands between the pipeline and the policy room's rulebook, which do not know each other. Features
are given in natural units (days, cents, counts), as the configuration writes them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Any, NamedTuple

from api.loop.clock import from_us
from policy.catalog.condition.tree import Field
from policy.catalog.condition.vocabulary import FieldType
from policy.catalog.rulebook import action_vocabulary
from segments.behaviour.reading import BEHAVIOURS, CHANGES, natural
from segments.features.schema import SCHEMA
from segments.look import Look

if TYPE_CHECKING:
    from api.settings import ActionSettings, PlacementSettings

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FLAGS = frozenset({"known"})
"""Features that are 0 or 1."""

_NUMBER, _TEXT = FieldType("number"), FieldType("text")
_TIMES: dict[str, tuple[FieldType, Callable[[datetime], Any]]] = {
    "hour": (FieldType("number", low=0, high=23), lambda now: now.hour),
    "weekday": (FieldType("text", WEEKDAYS), lambda now: WEEKDAYS[now.weekday()]),
    "date": (FieldType("date"), lambda now: now.date()),
}


class Asked(NamedTuple):
    """What answers come from.

    Args:
        context: The request's own fields, checked.
        now: In the shop's time zone.
    """

    look: Look
    segment: str | None
    context: Mapping[str, Any]
    now: datetime


def vocabulary(
    placement: "PlacementSettings", actions: Iterable["ActionSettings"]
) -> dict[Field, FieldType]:
    """Every field that conditions may ask about at a placement."""
    context = {
        Field("context", name): _NUMBER if values == "number" else FieldType("text", tuple(values))
        for name, values in placement.context.items()
    }
    profile = {
        Field("profile", name): FieldType("flag") if name in FLAGS else _NUMBER
        for name in SCHEMA.feature_names
    }
    times = {Field("time", name): kind for name, (kind, _) in _TIMES.items()}
    features = [name for action in actions for name in action.features]
    behaviour = {
        Field("behaviour", name): FieldType("flag") if name in CHANGES else _NUMBER
        for name in BEHAVIOURS
    }
    return {
        Field("segment"): _TEXT,
        **profile,
        **behaviour,
        **context,
        **times,
        **action_vocabulary(features),
    }


class FactReader:
    """Reads the fields that the conditions of one placement ask for, once a decision.

    Args:
        fields: `Rulebook.fields`.
        timezone: Whose hours and dates are meant.
    """

    def __init__(self, fields: Sequence[Field], timezone: tzinfo = UTC) -> None:
        self._readers = tuple(_reader(field) for field in fields)
        self._timezone = timezone
        self._asks_time = any(field.root == "time" for field in fields)

    def read(
        self, look: Look, segment: str | None, context: Mapping[str, Any], now_us: int
    ) -> list[Any]:
        """The values, in the order of the fields; None for what is unknown.

        Args:
            look: The visitor now.
            segment: Of the visitor.
            context: The request's own fields, checked.
            now_us: Microseconds since 1970.
        """
        if not self._readers:
            return []
        now = from_us(now_us)
        asked = Asked(
            look, segment, context, now.astimezone(self._timezone) if self._asks_time else now
        )
        return [read(asked) for read in self._readers]


def _reader(field: Field) -> Callable[[Asked], Any]:
    name = field.name or ""
    if field.root == "segment":
        return lambda asked: asked.segment
    if field.root == "context":
        return lambda asked: asked.context.get(name)
    if field.root == "time":
        of_moment = _TIMES[name][1]
        return lambda asked: of_moment(asked.now)
    if field.root == "behaviour":
        return _behaviour_reader(name)
    position = SCHEMA.feature_names.index(name)
    if name in FLAGS:
        return lambda asked: asked.look.natural(position) > 0.0
    return lambda asked: asked.look.natural(position)


def _behaviour_reader(name: str) -> Callable[[Asked], Any]:
    if name in CHANGES:
        return lambda asked: natural(asked.look.session(), name) > 0.0
    return lambda asked: natural(asked.look.session(), name)
