"""Worlds whose best policy is known: a discretised shopper, solved and scored exactly."""

__all__: list[str] = []
