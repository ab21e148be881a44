"""Wire formats of a placement's policies: what there is, what each does, and how it came so."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, model_validator

POLICY_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
Reason = Annotated[str | None, Field(max_length=500, description="For the audit.")]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AddPolicyRequest(_Request):
    """A policy to keep: of a kind with parameters, or as a model file has it."""

    name: str = Field(pattern=POLICY_NAME, description="One that is there gets another version.")
    kind: str | None = Field(None, description="As in `[placements.policy]`.")
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="Of the kind, without the floor."
    )
    model: Base64Bytes | None = Field(None, description="A model file instead, in base64.")
    reason: Reason = None

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.kind is None) == (self.model is None):
            raise ValueError("needs either kind, with its parameters, or model")
        if self.model is not None and self.parameters:
            raise ValueError("parameters of a model file are its own: leave them out")
        return self


class StepRequest(_Request):
    """Why a policy is given another role; all of it may be left out."""

    reason: Reason = None


class MixRequest(StepRequest):
    """How much a policy is to decide."""

    share: float = Field(gt=0, lt=1, description="Of the decisions.")


class KeptPolicyBody(BaseModel):
    """A policy of the placement."""

    policy: str = Field(description="name@version; the name alone means its latest version.")
    kind: str
    parameters: dict[str, Any]
    role: Literal["champion", "mixture", "shadow", "fallback", "kept"]
    share: float | None = Field(description="Of the decisions that it takes; null for none.")
    is_from_file: bool
    added_at: datetime
    learned_through: int = Field(description="Place in the log of the last reward learned.")
    n_updates: int
    n_failed: int = Field(description="Decisions at which it failed on trial, since the start.")


class TrialBody(BaseModel):
    """What the gate has seen of the policy in the mixture."""

    champion: str
    challenger: str
    share: float
    since_step: int
    automatic: bool
    verdict: Literal["wait", "promote", "roll back"]
    reason: str
    rows: int = Field(description="Settled decisions.")
    read_through: int = Field(description="Place in the log of decisions.")
    advantage: tuple[float, float] = Field(
        description="What the challenger earns beyond the champion, a decision; at any time."
    )
    level: float = Field(description="Of that interval.")
    hurt: list[str] = Field(description="Guardrails that are hurt.")
    log_wealth: dict[str, dict[str, float]] = Field(
        description="By metric: most that the bets on `better` and `worse` have won."
    )
    needed: dict[str, float] = Field(description="By metric: where they settle it.")


class PlacementPoliciesResponse(BaseModel):
    """The policies of a placement."""

    placement: str
    step: int = Field(description="By which the roles came about.")
    policies: list[KeptPolicyBody]
    trial: TrialBody | None = Field(
        description="null without a policy in the mixture, or without `[placements.promotion]`."
    )


class EstimateResponse(BaseModel):
    """What a policy would have earned, from the probabilities that were logged of it."""

    policy: str
    rows: int = Field(description="Settled decisions at which it was asked.")
    effective_rows: float = Field(description="Rows of a log of its own that would tell as much.")
    answerable: bool = Field(description="Whether the log can tell.")
    reasons: list[str] = Field(description="Why it cannot.")
    value: float | None = Field(description="Reward a decision; null where the log cannot tell.")
    interval: tuple[float, float] | None = Field(description="Of that, 95 %, for one look.")
    advantage: float | None = Field(description="Beyond the champion of the time.")
    advantage_interval: tuple[float, float] | None = Field(description="Of that, likewise.")


class StepBody(BaseModel):
    """A step of the audit."""

    step: int
    at: datetime
    what: str = Field(
        description="`configured`, `added`, `shadow`, `mixture`, `promoted`, `rolled back`, `terms`"
    )
    policy: str
    share: float | None = Field(description="Of the challenger from then on.")
    actor: str = Field(description="Name of a key, `gate`, or `configuration`.")
    reason: str | None
    evidence: dict[str, Any] | None = Field(description="What the gate had seen.")
    lineup: dict[str, Any] = Field(description="What each policy does from then on.")
    decisions_through: int = Field(description="Last decision in the log before it.")
    rewards_through: int = Field(description="Last reward in the log before it.")


class AuditResponse(BaseModel):
    """The latest steps, the last one first."""

    placement: str
    steps: list[StepBody]
