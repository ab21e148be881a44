"""`segue demo`: a year of real households against a real server, over HTTP."""

__all__: list[str] = []
