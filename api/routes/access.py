"""What routes need of a request: the engine, and a key with the right scope."""

from typing import Any

from fastapi import Depends, Request

from api.auth import Authenticator
from api.loop.engine import Engine
from api.settings import Scope


async def engine_of(request: Request) -> Engine:
    """The running engine."""
    engine: Engine = request.app.state.engine
    return engine


def needs(scope: Scope) -> Any:  # what Depends returns
    """A dependency that refuses requests whose key lacks the scope."""

    async def check(request: Request) -> None:
        authenticator: Authenticator = request.app.state.authenticator
        request.state.owner = authenticator.caller(request.scope["headers"], scope).owner or None

    return Depends(check)


def holder(scope: Scope) -> Any:  # as above
    """A dependency: the name of the key's holder, where the key has the scope."""

    async def check(request: Request) -> str:
        authenticator: Authenticator = request.app.state.authenticator
        return authenticator.check(request.scope["headers"], scope)

    return Depends(check)


async def owner_of(request: Request) -> str | None:
    """Whose key a request came with that `needs` let pass; None for the shop's own."""
    owner: str | None = request.state.owner
    return owner
