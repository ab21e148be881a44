"""`[[webhook_sources]]` and `[[webhook_endpoints]]`: who sends webhooks here, and who is sent some.

Under `api.settings`. Secrets are kept as values that do not print themselves.
"""

import ipaddress
import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from api.section import Section
from api.storage.outbox import NOTICE_TYPES, NoticeType
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


class WebhookEndpointSettings(Section):
    """`[[webhook_endpoints]]`: somebody who is told what happens."""

    name: PathName = Field(description="As it is called in commands and metrics.")
    url: str = Field(max_length=2_000, description="Where to; `https`, except on loopback.")
    secrets: tuple[Secret, ...] = Field(
        min_length=1,
        max_length=8,
        description="Each signs, so that the receiver may rotate; `env:NAME` reads a variable.",
    )
    types: tuple[NoticeType, ...] = Field(
        NOTICE_TYPES, min_length=1, description="What to tell; everything, unless given."
    )
    allow_private: bool = Field(
        False, description="Whether it may be in a network that is not public, and without TLS."
    )
    timeout_seconds: float = Field(10.0, gt=0, le=60, description="For one try.")
    tries: int = Field(10, ge=1, le=20, description="Until a delivery is dead.")

    @model_validator(mode="after")
    def _can_be_used(self) -> Self:
        for i, secret in enumerate(self.secrets):
            check_standard(secret.get_secret_value(), f"secrets[{i}]")
        _check_url(self.url, anywhere=self.allow_private)
        return self


def is_loopback_name(host: str) -> bool:
    """Whether a host is loopback by its name already.

    Example:
        >>> [is_loopback_name(host) for host in ("localhost", "127.0.0.1", "::1", "10.0.0.1")]
        [True, True, True, False]
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_url(text: str, *, anywhere: bool) -> None:
    try:
        url = urlsplit(text)
        _ = url.port
    except ValueError:
        raise ValueError("url: must be a URL such as https://shop.example/hooks") from None
    plain = text.isascii() and text.isprintable() and " " not in text and not url.fragment
    if url.scheme not in ("http", "https") or not url.hostname or not plain:
        raise ValueError("url: must be an ASCII URL such as https://shop.example/hooks")
    if url.username is not None or url.password is not None:
        raise ValueError("url: must not have a user or a password in it; the signature says enough")
    if url.scheme == "http" and not anywhere and not is_loopback_name(url.hostname):
        raise ValueError("url: must begin with https://, unless allow_private is true")


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
    for section in ("webhook_sources", "webhook_endpoints"):
        names = [one.name for one in getattr(settings, section)]
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield f"{section}: {name!r} is there more than once; names must be unique"
