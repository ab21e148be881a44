"""Alerts: what operators should hear of without looking at a log, by webhook.

Beside the loop, which raises them where it caught what it did not expect. One of a kind in an hour:
what fails every second is one thing to look at.
"""

import structlog

from api.loop.clock import Clock
from api.storage.base import Store, StoreError
from api.storage.outbox import Notice

log = structlog.get_logger()

QUIET_US = 3_600_000_000


class Alerts:
    """Raises alerts.

    Args:
        store: With the outbox.
        clock: What time it is.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._raised_us: dict[str, int] = {}

    async def raise_alert(self, name: str, subject: str, detail: str) -> bool:
        """Tell the endpoints of an alert.

        Args:
            name: Its kind, such as `background_work_failed`.
            subject: What it is about; name and subject together are quiet for an hour.
            detail: What happened, with nothing personal and no secret in it.

        Returns:
            Whether it was told now; not what was told lately, nor while the log cannot be written.
        """
        now_us, key = self._clock.now_us(), f"{name} {subject}"
        if now_us - self._raised_us.get(key, -QUIET_US) < QUIET_US:
            return False
        data = {"name": name, "subject": subject, "detail": detail}
        try:
            await self._store.tell(Notice("alert.raised", now_us, data))
        except StoreError as error:
            log.error("alert_not_kept", name=name, error=str(error))
            return False
        self._raised_us[key] = now_us
        return True
