"""`[[webhook_sources]]`: who sends webhooks here, and how they are told from strangers.

Under `api.settings`. Secrets are kept as values that do not print themselves.
"""

import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from api.section import Section
from api.webhooks.signature import secret_bytes

if TYPE_CHECKING:
    from api.settings import Settings

FROM_ENVIRONMENT = "env:"
FEWEST_CHARS = 16


def _looked_up(value: object) -> object:
    """A secret as it is, or `env:NAME`: the one that the environment has under that name."""
    if not isinstance(value, str) or not value.startswith(FROM_ENVIRONMENT):
        return value
    name = value.removeprefix(FROM_ENVIRONMENT)
    if name not in os.environ:
        raise ValueError(f"the environment has no variable {name!r:.80}")
    return os.environ[name]


def _is_name(value: str) -> str:
    if not re.fullmatch("[a-z0-9][a-z0-9_-]{0,39}", value):
        raise ValueError("must be 1 to 40 of a-z, 0-9, _ and -, as it stands in the path")
    return value


Secret = Annotated[SecretStr, BeforeValidator(_looked_up)]
PathName = Annotated[str, AfterValidator(_is_name)]


class WebhookSourceSettings(Section):
    """`[[webhook_sources]]`: one sender of webhooks."""

    name: PathName = Field(description="Its path is `/v1/webhooks/` and this.")
    kind: Literal["standard", "shopify"] = Field(
        description="How it signs: Standard Webhooks, or Shopify."
    )
    secrets: tuple[Secret, ...] = Field(
        min_length=1,
        max_length=8,
        description="Any one of them may have signed; `env:NAME` reads an environment variable.",
    )
    tolerance_seconds: int = Field(
        300, ge=1, le=86_400, description="How old, or how far ahead, a signature may be."
    )

    @model_validator(mode="after")
    def _secrets_can_be_used(self) -> Self:
        for i, secret in enumerate(self.secrets):
            text = secret.get_secret_value()
            if self.kind == "standard":
                check_standard(text, f"secrets[{i}]")
            elif len(text) < FEWEST_CHARS:
                raise ValueError(f"secrets[{i}]: must have at least {FEWEST_CHARS} characters")
        return self


def check_standard(secret: str, field: str) -> None:
    """Refuse what is no secret of Standard Webhooks, without saying it.

    Raises:
        ValueError: Naming the field.
    """
    try:
        secret_bytes(secret)
    except ValueError as error:
        raise ValueError(f"{field}: {error}") from None


def webhook_faults(settings: "Settings") -> Iterator[str]:
    """What is twice."""
    names = [source.name for source in settings.webhook_sources]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"webhook_sources: {name!r} is there more than once; names must be unique"
