"""From a store's own log to the parameters of a world."""

__all__: list[str] = []
