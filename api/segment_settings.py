"""The parts of `[segments]` that say what segments have to hold, and those made by hand.

Beside `api.settings`, which holds the rest of the section; docs/segments.md explains them.
"""

from pydantic import Field

from api.section import Section
from segments.evaluation.criteria import Criteria


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
