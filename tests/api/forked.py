"""A parent that has everything loaded, and forks a service for every line that it reads.

A process is then killed and started again in a fraction of a second. Runs as a script: its
arguments are the configuration, the log, and optionally `broken`.
"""

import asyncio
import gc
import os
import signal
import sys
from asyncio import Future
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from api.cli.serve import run
from api.configuration import load_settings
from api.storage.base import ModelRow
from api.storage.sqlite import SQLiteStore

BETWEEN_SECONDS = 0.03
REPLACE_LAST = """UPDATE models SET data = ?3 WHERE placement = ?1 AND policy = ?2
                  AND learned_through = (SELECT max(learned_through) FROM models
                                         WHERE placement = ?1 AND policy = ?2)"""


def save_models_and_their_places_apart() -> None:
    """The broken control: a model is kept first, and how far it has learned a moment later."""
    together = SQLiteStore.save_models

    def apart(store: SQLiteStore, models: Sequence[ModelRow], now_us: int) -> "Future[None]":
        async def both() -> None:
            for placement, policy, _, data in models:
                await store.writer.call(_executing(REPLACE_LAST, (placement, policy, data)))
            await asyncio.sleep(BETWEEN_SECONDS)
            await together(store, models, now_us)

        return asyncio.ensure_future(both())

    SQLiteStore.save_models = apart  # type: ignore[method-assign]  # that is the fault


def _executing(sql: str, parameters: tuple[object, ...]) -> Any:
    return lambda connection: connection.execute(sql, parameters).rowcount


def main(configuration: Path, log: Path, *faults: str) -> None:
    """Fork until the input ends."""
    if "broken" in faults:
        save_models_and_their_places_apart()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that were killed
    gc.freeze()
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            with log.open("ab") as output:
                os.dup2(output.fileno(), 2)
            try:
                run(load_settings(configuration))
            finally:
                os._exit(0)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
