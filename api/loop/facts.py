"""What conditions may ask, and the answers: visitor, request and moment as plain values.

Stands between the pipeline and the policy room's rulebook, which do not know each other. Features
are given in natural units (days, cents, counts), as the configuration writes them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from api.loop.clock import from_us
from policy.catalog.condition.tree import Field
from policy.catalog.condition.vocabulary import WEEKDAYS, FieldType
from policy.catalog.rulebook import action_vocabulary
from segments.behaviour.reading import BEHAVIOURS, CHANGES, natural
from segments.features.schema import SCHEMA
from segments.look import Look

if TYPE_CHECKING:
    from api.settings import ActionSettings, PlacementSettings

FLAGS = frozenset({"known"})
"""Features that are 0 or 1."""
HAND_MADE = "segments"
"""Root of the fields that say whether a visitor belongs to a segment made by hand."""

Belongs = Callable[[Look, str | None], bool | None]
"""Of a visitor and their learned segment: in a hand-made one, not in it, or unknown."""

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


def visitor_vocabulary() -> dict[Field, FieldType]:
    """What may be asked of a visitor wherever they are: features and the learned segment."""
    profile = {
        Field("profile", name): FieldType("flag") if name in FLAGS else _NUMBER
        for name in SCHEMA.feature_names
    }
    return {Field("segment"): _TEXT, **profile}


def vocabulary(
    placement: "PlacementSettings",
    actions: Iterable["ActionSettings"],
    hand_made: Iterable[str] = (),
) -> dict[Field, FieldType]:
    """Every field that conditions may ask about at a placement.

    Args:
        placement: Declares its context.
        actions: Its candidates, which have features.
        hand_made: Ids of the segments made by hand.
    """
    context = {
        Field("context", name): _NUMBER if values == "number" else FieldType("text", tuple(values))
        for name, values in placement.context.items()
    }
    belongs = {Field(HAND_MADE, name): FieldType("flag") for name in hand_made}
    times = {Field("time", name): kind for name, (kind, _) in _TIMES.items()}
    features = [name for action in actions for name in action.features]
    behaviour = {
        Field("behaviour", name): FieldType("flag") if name in CHANGES else _NUMBER
        for name in BEHAVIOURS
    }
    return {
        **visitor_vocabulary(),
        **belongs,
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
        hand_made: Who belongs to the segments made by hand, by id.
    """

    def __init__(
        self,
        fields: Sequence[Field],
        timezone: tzinfo = UTC,
        hand_made: Mapping[str, Belongs] = MappingProxyType({}),
    ) -> None:
        self._readers = tuple(_reader(field, hand_made) for field in fields)
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


def _reader(field: Field, hand_made: Mapping[str, Belongs]) -> Callable[[Asked], Any]:
    name = field.name or ""
    if field.root == HAND_MADE:
        belongs = hand_made[name]
        return lambda asked: belongs(asked.look, asked.segment)
    if field.root == "segment":
        return lambda asked: asked.segment
    if field.root == "context":
        return lambda asked: asked.context.get(name)
    if field.root == "time":
        of_moment = _TIMES[name][1]
        return lambda asked: of_moment(asked.now)
    return _behaviour_reader(name) if field.root == "behaviour" else _profile_reader(name)


def _profile_reader(name: str) -> Callable[[Asked], Any]:
    position = SCHEMA.feature_names.index(name)
    if name in FLAGS:
        return lambda asked: asked.look.natural(position) > 0.0
    return lambda asked: asked.look.natural(position)


def _behaviour_reader(name: str) -> Callable[[Asked], Any]:
    if name in CHANGES:
        return lambda asked: natural(asked.look.session(), name) > 0.0
    return lambda asked: natural(asked.look.session(), name)
