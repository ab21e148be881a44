"""`[personalizer]`: which placement answers the clients of Azure Personalizer."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from api.section import Name, Section, nearest
from policy.reward.spec import SHOWN

if TYPE_CHECKING:
    from api.settings import Settings


class PersonalizerSettings(Section):
    """`[personalizer]`: a drop-in for Azure Personalizer."""

    placement: Name = Field(description="The placement that decides.")
    visitor: Name | None = Field(
        None,
        description="Name of the feature of `contextFeatures` that says who the visitor is.",
    )


def personalizer_faults(settings: "Settings") -> Iterator[str]:
    """What the named placement lacks."""
    if settings.personalizer is None:
        return
    name = settings.personalizer.placement
    placements = {placement.name: placement for placement in settings.placements}
    placement = placements.get(name)
    said = f"personalizer.placement is {name!r}:"
    if placement is None:
        yield f"{said} must be one of [[placements]]{nearest(name, placements)}"
        return
    if not placement.hashed_features:
        yield f"{said} needs hashed_features, such as 32, to put the clients' features in"
    if placement.reward.activation != SHOWN:
        yield f'{said} needs reward.activation = "shown", so that clients may defer activation'
