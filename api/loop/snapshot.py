"""Snapshots: what was folded from the log, saved with how far into the log it reaches.

They only save time: a service without any comes to the same state by folding the log from its
first row. A model's snapshot and its place in the log are one row, so they cannot disagree.
"""

import asyncio
import importlib.metadata
from collections.abc import Mapping

import structlog

from api.loop.clock import Clock
from api.loop.placement import Placement
from api.storage.base import RefitRow, Store
from policy import model_file
from policy.errors import ModelFileError, StateError
from segments.cluster.segmentation import Segmentation
from segments.errors import SegmentsError
from segments.pipeline import Pipeline

log = structlog.get_logger()

VERSIONS: Mapping[str, model_file.JSON] = {
    name: importlib.metadata.version(name) for name in ("numpy", "segue")
}
PROFILES_AT_ONCE = 200
POPULATION = "population"


class Snapshots:
    """Saves and restores profiles, models and segmentations.

    Args:
        store: Where they are kept.
        placements: Whose policies are saved.
        pipeline: Whose profiles are saved.
        clock: Dates the snapshots.
    """

    def __init__(
        self, store: Store, placements: Mapping[str, Placement], pipeline: Pipeline, clock: Clock
    ) -> None:
        self._store = store
        self._placements = placements
        self._pipeline = pipeline
        self._clock = clock
        self._saved: dict[str, int] = {}

    async def save(self) -> None:
        """Save what changed since the last time."""
        await self._save_profiles()
        await self._save_models()

    async def _save_profiles(self) -> None:
        """In small chunks, so that decisions go on; each profile knows how far it reaches."""
        more = True
        while more:
            changes = self._pipeline.take_changes(PROFILES_AT_ONCE)
            more = changes.more
            # Taken at the instant at which nothing is left to save: it covers what was saved.
            population = None if more else self._pipeline.population_state()
            try:
                await self._store.save_profiles(changes.profiles, changes.aliases)
            except BaseException:  # cancelled as well: whether it is saved is not known then
                self._pipeline.put_back(changes)
                raise
            if population is not None:
                await self._store.save_state(POPULATION, population)

    async def _save_models(self) -> None:
        changed = [
            placement
            for placement in self._placements.values()
            if self._saved.get(placement.name) != placement.learned_through
        ]
        # Copied at one instant on the event loop, packed on a thread.
        states = [(p.name, p.learned_through, _manifest(p), p.policy.state()) for p in changed]
        models = [
            (
                name,
                through,
                await asyncio.to_thread(model_file.dump, {**state[0], **manifest}, state[1]),
            )
            for name, through, manifest, state in states
        ]
        if models:
            await self._store.save_models(models, self._clock.now_us())
            self._saved.update({name: through for name, through, _ in models})

    def restore_models(self) -> None:
        """Load each placement's newest model, as far as it fits what is configured now.

        One that does not fit is left aside: the learner then folds the log from its first row, so
        a changed setting costs a replay and never what was learned.
        """
        for placement in self._placements.values():
            saved = self._store.load_model(placement.name)
            if saved is None:
                continue
            learned_through, data = saved
            try:
                manifest, arrays = model_file.load(data)
                _check_fits(placement, manifest)
                placement.policy.load_state(manifest, arrays)
            except (ModelFileError, StateError) as error:
                log.warning("model_relearned", placement=placement.name, reason=str(error))
                continue
            placement.learned_through = learned_through
            placement.n_rewarded = int(str(manifest["n_rewarded"]))
            placement.reward_sum = float(str(manifest["reward_sum"]))
            self._saved[placement.name] = learned_through

    def restore_profiles(self) -> int:
        """Load saved profiles; damaged ones, or of other features, are folded from the log again.

        Returns:
            The place in the log after which events are to be folded.
        """
        try:
            self._load_profiles()
        except SegmentsError as error:
            log.warning("profiles_refolded", reason=str(error))
            self._pipeline.clear()
        return self._pipeline.population_seq

    def _load_profiles(self) -> None:
        for visitor, data in self._store.load_profiles():
            self._pipeline.load_profile(visitor, data)
        for alias, visitor, seq in self._store.load_aliases():
            self._pipeline.load_alias(alias, visitor, seq)
        population = self._store.load_state(POPULATION)
        if population is not None:
            self._pipeline.load_population(population)

    def restore_segmentation(self) -> int:
        """Load the newest segmentation; one of other features is left for the next refit.

        Returns:
            When it was fitted, in microseconds since 1970; 0 for none.
        """
        saved = self._store.load_segmentation()
        if saved is None:
            return 0
        fitted_at_us, data = saved
        try:
            self._pipeline.segmentation = Segmentation.from_state(*model_file.load(data))
        except (ModelFileError, SegmentsError) as error:
            log.warning("segmentation_refitted", reason=str(error))
            return 0
        return fitted_at_us

    async def save_refit(self, row: RefitRow, adopted: Segmentation | None) -> None:
        """Save what came of a refit; a segmentation before it is used."""
        data = None
        if adopted is not None:
            data = await asyncio.to_thread(model_file.dump, *adopted.state())
        await self._store.save_refit(row, data)

    def last_refit(self, adopted: bool) -> RefitRow | None:
        """The newest refit, or the newest that was adopted."""
        return self._store.last_refit(adopted)


def packed(placement: Placement) -> bytes:
    """A placement's model as it is saved."""
    manifest, arrays = placement.policy.state()
    return model_file.dump({**manifest, **_manifest(placement)}, arrays)


def _manifest(placement: Placement) -> dict[str, model_file.JSON]:
    return {
        "placement": placement.name,
        "learned_through": placement.learned_through,
        "n_rewarded": placement.n_rewarded,
        "reward_sum": placement.reward_sum,
        "parameters": {key: str(value) for key, value in placement.parameters.items()},
        "fingerprint": placement.fingerprint,
        "context_names": list(placement.names["context"]),
        "feature_names": list(placement.names["features"]),
        **VERSIONS,
    }


def _check_fits(placement: Placement, manifest: Mapping[str, model_file.JSON]) -> None:
    now = _manifest(placement)
    for name in ("context_names", "feature_names"):
        if manifest.get(name) != now[name]:
            raise StateError(f"{name} changed since the model was saved")
