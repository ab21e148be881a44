"""A replay world: the purchases of real households, in which the outcome of every tile is known."""

__all__: list[str] = []
