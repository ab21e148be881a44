"""One day of a shopper's life as a pure function of parameters, state, action and draws."""

__all__: list[str] = []
