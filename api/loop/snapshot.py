"""Snapshots: what was folded from the log, saved with how far into the log it reaches.

They only save time: a service without any comes to the same state by folding the log from its
first row. A model's snapshot and its place in the log are one row, so they cannot disagree.
"""

import asyncio
import importlib.metadata
import json
from collections.abc import Mapping
from typing import Any

import numpy.typing as npt
import structlog

from api.loop.clock import Clock
from api.loop.lineup import CHALLENGER, CONFIGURED, Model
from api.loop.placement import Placement
from api.storage.base import ModelRow, RefitRow, Store
from policy import model_file
from policy.errors import ModelFileError, PolicyError, StateError
from policy.mixture import PARTS, Mixture, part_of
from segments.cluster.segmentation import Segmentation
from segments.errors import SegmentsError
from segments.pipeline import Pipeline

log = structlog.get_logger()

VERSIONS: Mapping[str, model_file.JSON] = {
    name: importlib.metadata.version(name) for name in ("numpy", "segue")
}
PROFILES_AT_ONCE = 200
POPULATION = "population"
FIRST = f"{CONFIGURED}@1"
"""Under which both policies were saved when they were one mixture."""
_PARTS = {CONFIGURED: PARTS[0], CHALLENGER: PARTS[1]}
Manifest = dict[str, model_file.JSON]
Arrays = dict[str, npt.NDArray[Any]]


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
        self._saved: dict[tuple[str, str], int] = {}

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
            (placement, model)
            for placement in self._placements.values()
            for model in placement.models.values()
            if self._saved.get((placement.name, model.key)) != model.learned_through
        ]
        # Copied at one instant on the event loop, packed on a thread.
        states = [
            (placement.name, model.key, model.learned_through, _manifest(placement, model),
             model.policy.state())
            for placement, model in changed
        ]  # fmt: skip
        rows = [
            ModelRow(
                name,
                key,
                through,
                await asyncio.to_thread(model_file.dump, {**state[0], **manifest}, state[1]),
            )
            for name, key, through, manifest, state in states
        ]
        if rows:
            await self._store.save_models(rows, self._clock.now_us())
            self._saved.update({(row.placement, row.policy): row.learned_through for row in rows})

    def restore_models(self) -> None:
        """Load the newest model of every policy, as far as it fits what is configured now.

        One that does not fit is left aside: the learner then folds the log from its first row, so
        a changed setting costs a replay and never what was learned. A new version of a configured
        policy goes on from the model of the version before, where that fits.
        """
        for placement in self._placements.values():
            for model in placement.models.values():
                if model.learned_through == model.learns_after:
                    self._restore(placement, model)

    def _restore(self, placement: Placement, model: Model) -> None:
        for key in _keys(model):
            saved = self._store.load_model(placement.name, key)
            if saved is None:
                continue
            learned_through, data = saved
            try:
                take_up(placement, model, key, data)
            except PolicyError as error:
                reason = str(error)
                if key.startswith(f"{model.name}@"):  # else it was worth a look only
                    log.warning(
                        "model_relearned", placement=placement.name, policy=key, reason=reason
                    )
                continue
            model.learned_through = learned_through
            if key == model.key:
                self._saved[placement.name, key] = learned_through
            return

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


def take_up(placement: Placement, model: Model, key: str, data: bytes) -> None:
    """Load what was saved of a model, under its own key or one that it goes on from.

    Raises:
        ModelFileError: The bytes are no model file.
        StateError: It is of other features or another policy; nothing changes.
    """
    manifest, arrays = _own(model, key, *model_file.load(data))
    check_fits(placement, manifest)
    model.policy.load_state(manifest, arrays)
    model.n_rewarded = int(str(manifest["n_rewarded"]))
    model.reward_sum = float(str(manifest["reward_sum"]))


def _keys(model: Model) -> list[str]:
    """Under which keys a model that a policy can go on from may be saved, the best one first."""
    if model.name not in (CONFIGURED, CHALLENGER):
        return [model.key]  # what was added starts from its own file, or from nothing
    keys = [f"{model.name}@{version}" for version in range(model.version, 0, -1)]
    return keys if model.name == CONFIGURED else [*keys, FIRST]


def _own(model: Model, key: str, manifest: Manifest, arrays: Arrays) -> tuple[Manifest, Arrays]:
    """What a saved model holds of a policy: all, or of both in one file, as once, its part.

    Raises:
        StateError: It holds another policy alone.
    """
    if manifest.get("kind") == Mixture.kind:
        part, own = part_of(_PARTS[model.name], manifest, arrays)
        return {**manifest, **part}, own
    if not key.startswith(f"{model.name}@"):
        raise StateError(f"{key} is saved alone, and is no model of {model.name}")
    return manifest, arrays


def packed(placement: Placement, model: Model) -> bytes:
    """A model as it is saved."""
    manifest, arrays = model.policy.state()
    return model_file.dump({**manifest, **_manifest(placement, model)}, arrays)


def _manifest(placement: Placement, model: Model) -> dict[str, model_file.JSON]:
    return {
        "placement": placement.name,
        "policy": model.key,
        "learned_through": model.learned_through,
        "n_rewarded": model.n_rewarded,
        "reward_sum": model.reward_sum,
        "parameters": json.loads(json.dumps(dict(model.spec), default=list)),
        "fingerprint": placement.fingerprint,
        "context_names": list(placement.names["context"]),
        "feature_names": list(placement.names["features"]),
        **VERSIONS,
    }


def check_fits(placement: Placement, manifest: Mapping[str, model_file.JSON]) -> None:
    """Refuse a model of other features.

    Raises:
        StateError: It names which differ.
    """
    for field in ("context", "features"):
        name = "context_names" if field == "context" else "feature_names"
        if manifest.get(name) != list(placement.names[field]):
            raise StateError(f"{name} changed since the model was saved")
