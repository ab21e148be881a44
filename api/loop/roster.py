"""The roster: which policies each placement has, what each does, and the steps that made it so.

A step is in the log before it is made, with all of what the policies do from then on: a crash
leaves either the old lineup or the new one, and each decision says under which it was made.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import structlog

from api.loop.clock import Clock
from api.loop.errors import BadRequestError, ConflictError, NotFoundError
from api.loop.learn import Learner
from api.loop.lineup import CHALLENGER, CONFIGURED, Lineup, Model
from api.loop.moves import mixed, promoted, rolled_back, shadowed
from api.loop.placement import Placement, build_placements
from api.loop.roster_start import Said, make, spec_text, take_up
from api.loop.snapshot import packed
from api.section import nearest
from api.settings import Settings
from api.storage.base import Store
from api.storage.trial import PolicyRow, Step, StepRow
from policy import model_file
from policy.bandits.build import POLICY_KINDS
from policy.errors import PolicyError
from policy.saved import saved_parameters

log = structlog.get_logger()

MOST_SHADOWS = 4
"""Each is one more policy to ask at every decision."""
MOST_STEPS = 1_000

Move = Callable[[Lineup, Model], Lineup]


@dataclass(frozen=True, slots=True)
class Because:
    """Who takes a step, and why.

    Args:
        actor: Name of a key, `gate`, or `configuration`.
        reason: In words.
        evidence: The numbers behind it, as JSON.
        trial: The step that began what the evidence is about; None where that does not matter.
    """

    actor: str
    reason: str | None = None
    evidence: str | None = None
    trial: int | None = None


class Roster:
    """Changes what policies do.

    Args:
        settings: All of them.
        placements: By name.
        store: Where policies and steps are kept.
        clock: Dates them.
        learner: The running one, after the start.
        changing: Held while policies are changed, by whoever does.
    """

    def __init__(
        self,
        settings: Settings,
        placements: Mapping[str, Placement],
        store: Store,
        clock: Clock,
        learner: Callable[[], Learner],
        changing: asyncio.Lock,
    ) -> None:
        self._settings = settings
        self._placements = placements
        self._store = store
        self._clock = clock
        self._learner = learner
        self._changing = changing
        self._said: dict[str, Said] = {}
        self._rows: dict[tuple[str, str], PolicyRow] = {}

    def restore(self) -> None:
        """Come to where the store says that policies are; before it is started."""
        trials = self._store.trials
        for placement in self._placements.values():
            self._said[placement.name] = take_up(placement, trials, self._clock.now_us())
            for row in trials.policies(placement.name):
                self._rows[placement.name, f"{row.name}@{row.version}"] = row

    def placement(self, name: str) -> Placement:
        """A placement that may have several policies.

        Raises:
            NotFoundError: There is none of this name.
        """
        placement = self._placements.get(name)
        if placement is None:
            rule = f"no such placement{nearest(name, self._placements)}"
            raise NotFoundError("placement", name, rule)
        return placement

    def model(self, placement: Placement, name: str) -> Model:
        """A policy by name@version, or by its name: the latest, or the one that is configured now.

        Raises:
            NotFoundError: There is none.
        """
        models, said = placement.models, self._said[placement.name]
        name = {CONFIGURED: said["policy"], CHALLENGER: said["challenger"]}.get(name) or name
        if name in models:
            return models[name]
        versions = [model for model in models.values() if model.name == name]
        if not versions:
            known = ", ".join(models)
            rule = f"no such policy; {placement.name} has {known}{nearest(name, models)}"
            raise NotFoundError("policy", name, rule)
        return max(versions, key=lambda model: model.version)

    def row(self, placement: Placement, model: Model) -> PolicyRow:
        """A policy as it was added."""
        return self._rows[placement.name, model.key]

    def fresh(self, placement: Placement, model: Model) -> Model:
        """The model as it was before it learned anything."""
        if model is placement.lineup.champion and placement.pricing is not None:
            made = build_placements(self._settings)[placement.name]
            return replace(model, policy=made.policy, learned_through=0, n_rewarded=0, reward_sum=0)
        return make(placement, self.row(placement, model))

    def set_aside(self, placement: Placement) -> list[str]:
        """Keys of policies that cannot be built for what the placement sees now."""
        own = [key for name, key in self._rows if name == placement.name]
        return [key for key in own if key not in placement.models]

    async def steps(self, name: str, limit: int = MOST_STEPS) -> list[Step]:
        """The latest steps of a placement, the last one first.

        Raises:
            NotFoundError: Unknown placement.
        """
        return await self._store.trials.steps(self.placement(name).name, limit)

    async def add(
        self,
        placement_name: str,
        name: str,
        spec: Mapping[str, object] | None,
        file: bytes | None,
        because: Because,
    ) -> Model:
        """Keep a policy, which does nothing yet: of a spec, or as a model file has it.

        Args:
            placement_name: Where it is to decide.
            name: Of the policy; one that is there gets another version.
            spec: Kind and parameters; it learns the whole log.
            file: A model file instead; it learns what comes from now on.
            because: Who says so.

        Raises:
            NotFoundError: Unknown placement.
            BadRequestError: It makes no policy, or not for what this placement sees.
            ConflictError: It is there already.
        """
        placement = self._mixable(self.placement(placement_name))
        if name in (CONFIGURED, CHALLENGER):
            raise BadRequestError("name", name, "is what segue.toml says: choose another name")
        if spec is not None and "floor" in spec:
            rule = "the floor of [placements.policy] is that of every policy there: leave it out"
            raise BadRequestError("parameters.floor", spec["floor"], rule)
        async with self._changing:
            learns_after = 0 if file is None else await self._store.last_reward()
            text = spec_text(spec if spec is not None else _spec_of(file or b""))
            own = [one for one in placement.models.values() if one.name == name]
            version = 1 + max((one.version for one in own), default=0)
            row = PolicyRow(
                placement.name, name, version, text, file, learns_after, self._clock.now_us()
            )
            for one in own:
                if (text, file) == (self.row(placement, one).spec, self.row(placement, one).file):
                    raise ConflictError("name", name, f"it is there already, as {one.key}")
            try:
                model = make(placement, row)
            except PolicyError as error:
                raise BadRequestError("model" if file else "kind", name, str(error)) from None
            await self._record(placement, placement.lineup, "added", model, because, row)
        return model

    def export(self, placement: Placement, model: Model) -> bytes:
        """A policy with what it has learned as a model file; its own, where it learns nothing."""
        file = self.row(placement, model).file
        if file is not None and model.policy.kind not in POLICY_KINDS:
            return file
        return packed(placement, model)

    async def shadow(self, placement: str, policy: str, because: Because) -> Model:
        """Ask a policy at every decision, and do not follow it; see `moves.shadowed`."""
        lineup = self.placement(placement).lineup
        if len(lineup.shadows) >= MOST_SHADOWS:
            rule = f"{MOST_SHADOWS} are in the shadow already: roll one of them back first"
            raise ConflictError("policy", policy, rule)
        return await self._change(placement, policy, shadowed, "shadow", because)

    async def mix(self, placement: str, policy: str, share: float, because: Because) -> Model:
        """Let a policy take a share of the decisions; see `moves.mixed`."""
        move = partial(_mixed, share=share)
        return await self._change(placement, policy, move, "mixture", because)

    async def promote(self, placement: str, policy: str, because: Because) -> Model:
        """Make a policy the champion; see `moves.promoted`."""
        return await self._change(placement, policy, promoted, "promoted", because)

    async def rollback(self, placement: str, policy: str, because: Because) -> Model:
        """Take a policy back; see `moves.rolled_back`."""
        return await self._change(placement, policy, rolled_back, "rolled back", because)

    async def note(self, placement: Placement, what: str, because: Because) -> None:
        """Record something that changes no lineup."""
        async with self._changing:
            lineup = placement.lineup
            await self._record(placement, lineup, what, lineup.challenger, because)

    async def _change(
        self, placement_name: str, name: str, move: Move, what: str, because: Because
    ) -> Model:
        """Move a policy, once it knows what the others know.

        Raises:
            NotFoundError: Unknown placement or policy.
            ConflictError: The move makes no sense, or the trial it is about is over.
        """
        placement = self._mixable(self.placement(placement_name))
        async with self._changing:
            model = self.model(placement, name)
            if because.trial not in (None, placement.lineup.trial):
                raise ConflictError("policy", model.key, "the trial that this is about is over")
            before = placement.lineup
            lineup = move(before, model)
            learner = self._learner()
            joins = model not in before.learning
            if joins:
                await learner.catch_up(placement, model)
            async with learner.pause:
                if joins:
                    await learner.catch_up(placement, model)
                    model.learned_through = max(model.learned_through, placement.learned_through)
                if what == "promoted" and model is before.fallback:
                    what, model = "rolled back", before.champion
                await self._record(placement, lineup, what, model, because)
        log.info(
            "policies_changed",
            placement=placement.name, what=what, policy=model.key, actor=because.actor,
        )  # fmt: skip
        return model

    async def _record(
        self,
        placement: Placement,
        lineup: Lineup,
        what: str,
        model: Model | None,
        because: Because,
        added: PolicyRow | None = None,
    ) -> None:
        """A step into the log, and at its commit into effect."""
        row = StepRow(
            placement.name,
            self._clock.now_us(),
            what,
            "" if model is None else model.key,
            lineup.share or None,
            because.actor,
            because.reason,
            because.evidence,
            json.dumps({**lineup.described(), "configured": self._said[placement.name]}),
        )

        def take(step: int) -> None:
            if added is not None and model is not None:
                placement.models[model.key] = model
                self._rows[placement.name, model.key] = added
            placement.take(replace(lineup, step=step, trial=lineup.trial or step))

        new = [] if added is None else [added]
        await asyncio.shield(self._store.trials.record(new, row, take))

    def _mixable(self, placement: Placement) -> Placement:
        if placement.pricing is not None:
            rule = "prices out of a range are drawn by [placements.policy] alone"
            raise ConflictError("placement", placement.name, rule)
        return placement


def _mixed(lineup: Lineup, model: Model, share: float) -> Lineup:
    return mixed(lineup, model, share)


def _spec_of(file: bytes) -> dict[str, object]:
    """What is told of a model file.

    Raises:
        BadRequestError: It is none.
    """
    try:
        manifest, _ = model_file.load(file)
        kind = str(manifest["kind"])
        own = saved_parameters(manifest)
        own.pop("floor", None)
        return {"kind": kind, **own}
    except PolicyError as error:
        raise BadRequestError("model", f"{len(file)} bytes", str(error)) from None
