"""Named, versioned worlds as TOML files, and what reads them."""

__all__: list[str] = []
