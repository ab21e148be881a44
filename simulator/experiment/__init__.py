"""The growth team's run: policies × worlds × seeds on twins, and a report."""

__all__: list[str] = []
