"""What Segue costs, measured beside its peers; one module a subject."""

__all__: list[str] = []
