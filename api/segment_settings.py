"""The parts of `[segments]` that say what segments have to hold, and those made by hand.

Beside `api.settings`, which holds the rest of the section; docs/segments.md explains them.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from api.rule_settings import ConditionText
from api.section import Name, Section
from segments.cluster.segmentation import NOISE_ID
from segments.evaluation.criteria import Criteria

MOST_HAND_MADE = 64


def _is_own_id(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", value):
        raise ValueError("must be one word of letters, digits and _, such as `lapsing_vip`")
    if value == NOISE_ID or re.fullmatch(r"s\d+", value):
        raise ValueError("is how learned segments are called; take another name")
    return value


class HandMadeSettings(Section):
    """`[[segments.hand_made]]`: a segment that a person describes; segments may overlap."""

    id: Annotated[str, AfterValidator(_is_own_id)] = Field(
        description="One word; conditions ask for `segments.ID`."
    )
    name: Name | None = Field(None, description="What people call it; the id, unless given.")
    when: ConditionText = Field(description="Holds for its members.")


class CriteriaSettings(Section):
    """`[segments.criteria]`: what a segmentation has to hold before it is worth using."""

    ari_mean: float = Field(
        0.95, ge=-1, le=1, description="Least mean adjusted Rand index when fitted again."
    )
    ari_min: float = Field(0.8, ge=-1, le=1, description="Least of the worst draw.")
    smallest: float = Field(
        0.005, ge=0, le=1, description="Least share of the visitors in the smallest segment."
    )
    noise: float = Field(0.5, ge=0, le=1, description="Most visitors in no segment, as a share.")
    churn: float = Field(
        0.03,
        ge=0,
        le=1,
        description="Most visitors whom a refit may put elsewhere for the same behaviour.",
    )
    over_baseline: float | None = Field(
        0.0,
        ge=-1,
        le=1,
        description="Least eta squared of future spend beyond the better of RFM and spend tiers.",
    )

    def criteria(self) -> Criteria:
        """As the segments room has them."""
        return Criteria(**self.model_dump())
