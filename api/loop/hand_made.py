"""Segments that a person describes, beside the learned ones: who belongs to them.

A membership is a condition over the visitor's features and learned segment. It is read at the
moment of a decision, for those conditions that ask for it, and by `segue segments preview` for
everybody; nothing is kept.
"""

from collections.abc import Iterable

from api.loop.facts import Belongs, FactReader, visitor_vocabulary
from api.segment_settings import HandMadeSettings
from policy.catalog.condition.parser import parse
from policy.catalog.condition.program import Program
from segments.look import Look

NOTHING_US = 0
"""No membership asks for the time."""


def belonging(text: str) -> Belongs:
    """Who a condition is true of, made ready once.

    Args:
        text: A condition over `profile.` and `segment`.

    Raises:
        ConditionError: It does not parse, or asks for something unknown; it names the nearest.

    Example:
        >>> from datetime import UTC, datetime
        >>> regular = belonging("profile.orders >= 3")
        >>> regular(Pipeline().look("ann", datetime(2026, 3, 1, tzinfo=UTC)), None)
        False
    """
    condition = parse(text)
    program = Program(visitor_vocabulary(), [condition])
    reader, test = FactReader(program.fields), program.test(condition)

    def belongs(look: Look, segment: str | None) -> bool | None:
        return test(reader.read(look, segment, {}, NOTHING_US))

    return belongs


def belongings(hand_made: Iterable[HandMadeSettings]) -> dict[str, Belongs]:
    """Who belongs to each of the segments made by hand, by id.

    Raises:
        ConditionError: As `belonging`.
    """
    return {one.id: belonging(one.when) for one in hand_made}
