"""The outbox as people look at it: what was delivered, what waits, what is dead and why.

Beside the store, which it never touches: a connection of its own that can only read.
"""

from pathlib import Path
from typing import NamedTuple

from api.storage.reading import reading


class DeliveryRow(NamedTuple):
    """One delivery, without its body."""

    message_id: str
    endpoint: str
    type: str
    status: str
    tries: int
    created_at_us: int
    due_at_us: int
    error: str | None


def deliveries(path: Path, status: str | None, limit: int) -> list[DeliveryRow]:
    """The latest deliveries, the newest first.

    Args:
        path: The store's file.
        status: `waiting`, `delivered` or `dead`; None for any.
        limit: At most so many.

    Raises:
        StoreError: The store cannot be read.
    """
    sql = f"""SELECT {", ".join(DeliveryRow._fields)} FROM outbox
              WHERE (?1 IS NULL OR status = ?1) ORDER BY seq DESC LIMIT ?2"""  # noqa: S608  # our own
    with reading(path) as connection:
        return [DeliveryRow(*row) for row in connection.execute(sql, (status, limit))]
