"""`segue segments refit`: ask a running service, fit its store while it is down, or try it dry."""

import asyncio
import contextlib
import json
import sys
import time
from datetime import UTC, datetime

from api.cli.remote import asked
from api.loop.clock import to_us
from api.settings import Settings
from api.storage.base import RefitRow, StoreError
from api.storage.visitor_log import VisitorLog
from api.worker.fit import Task, fitted_by
from api.worker.recipe import Recipe, is_another, wanted
from api.worker.verdict import Request, judged
from segments.cluster.segmentation import Segmentation

POLL_SECONDS = 0.2


def by_service(url: str, request: Request) -> str:
    """Have a running service refit; what came of it, in words."""
    at = f"{url.rstrip('/')}/v1/segments"
    body = json.dumps({"dry_run": request.dry_run, "force": request.force})
    asked("POST", f"{at}/refit", body)
    while (state := json.loads(asked("GET", at)))["fitting"]:
        time.sleep(POLL_SECONDS)
    last = state["last_refit"]
    return told(
        RefitRow(
            at_us=to_us(datetime.fromisoformat(last["at"])),
            family=last["family"],
            n_segments=last["n_segments"],
            outcome=last["outcome"],
            version=last["version"],
            n_visitors=last["visitors"],
            churn=last["churn"],
            reason=last["reason"],
        )
    )


def alone(settings: Settings, request: Request) -> str:
    """Refit a store that no service uses."""
    from api.loop.engine import Engine  # noqa: PLC0415  # commands without it start faster

    async def inside() -> str:
        engine = Engine(settings)
        await engine.start()
        try:
            engine.refitter.request(request)
            while engine.refitter.fitting:  # noqa: ASYNC110  # as a client of the service does
                await asyncio.sleep(POLL_SECONDS)
            return "" if engine.refitter.last is None else told(engine.refitter.last)
        finally:
            await engine.stop()

    try:
        with contextlib.redirect_stdout(sys.stderr):  # the engine's log
            return asyncio.run(inside())
    except StoreError as error:
        raise StoreError(f"{error}; while the service runs, give its --url") from None


def dry(settings: Settings, request: Request) -> tuple[str, Segmentation]:
    """What a refit would come to now, read beside a running service; it changes nothing.

    Raises:
        StoreError: The store cannot be read, or holds nobody.
        SegmentsError: Nothing can be fitted.
    """
    segments, log = settings.segments, VisitorLog(settings.service.database)
    at = log.latest() if settings.service.clock == "replay" else datetime.now(UTC)
    fits = log.fits()
    live = fits[-1].segmentation if fits else None
    adopted = [row for row in log.refits() if row.outcome == "adopted"]
    before = None if live is None else Recipe.of_live(live, adopted[-1] if adopted else None)
    recipe = wanted(segments, before)
    another = live is not None and before is not None and is_another(recipe, before, live)
    kept = None if live is None or another else live.assigner.n_labels
    _, vectors = log.pipeline().matrix(at)
    task = Task(
        recipe.family,
        recipe.n_segments if kept is None else kept,
        None if kept is None else segments.max_churn,
        segments.seed,
        str(settings.service.database),
        to_us(at),
        segments.outcome_days,
    )
    vectors = vectors[-segments.max_fit_visitors :]
    fitted = fitted_by(task, vectors, live)
    row = RefitRow(
        to_us(at), recipe.family, recipe.n_segments, "failed", None, len(vectors), None, None
    )
    verdict = judged(row, fitted, request, max_churn=segments.max_churn, another=another)
    return told(verdict), fitted


def told(row: RefitRow) -> str:
    """A refit in a sentence."""
    share = "" if row.churn is None else f", {row.churn:.1%} of them renamed"
    version = "" if row.version is None else f", version {row.version}"
    because = f": {row.reason}" if row.reason else ""
    return f"{row.outcome}{because} ({row.family}, {row.n_visitors:,} visitors{share}{version})"
