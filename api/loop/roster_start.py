"""What the policies of a placement do when the service starts: as the store says, and `segue.toml`.

The store has the last word on roles, so that a promotion survives a restart. A setting that was
changed since makes a new version of the policy that it is about, which takes the place of the
version before; that one is kept.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog

from api.loop.lineup import Lineup, Model
from api.loop.placement import Placement
from api.loop.policies import Names, file_of, policy_of_file, policy_of_spec
from api.storage.trial import PolicyRow, Step, StepRow, Trials
from policy.errors import PolicyError

log = structlog.get_logger()

CONFIGURATION = "configuration"
Said = dict[str, Any]
"""What was configured when a step was taken: `policy`, `challenger` and `share`."""


def take_up(placement: Placement, trials: Trials, now_us: int) -> Said:
    """Bring a placement, as it was configured, to where the store says that its policies are.

    Args:
        placement: As `build_placements` made it.
        trials: Of the store, before it is started.
        now_us: When, in microseconds since 1970.

    Returns:
        What is configured now.
    """
    configured, rows = placement.lineup, trials.policies(placement.name)
    new = [
        row
        for model in configured.learning
        if (row := _numbered(placement, model, rows, now_us)) is not None
    ]
    placement.models = {model.key: model for model in configured.learning}
    for row in rows:
        _build(placement, row)
    said = _said(configured)
    latest = trials.latest(placement.name)
    if latest is None:
        lineup, reason = configured, None
    else:
        lineup, reason = _continued(placement, latest, configured, said)
        if not reason:
            placement.take(lineup)
            return said
        log.info("policies_configured", placement=placement.name, reason=reason)
    text = json.dumps({**lineup.described(), "configured": said})
    step = StepRow(
        placement.name, now_us, "configured", configured.champion.key, lineup.share or None,
        CONFIGURATION, reason, None, text,
    )  # fmt: skip
    number = trials.begin(new, step)
    placement.take(replace(lineup, step=number, trial=lineup.trial or number))
    return said


def spec_text(spec: Mapping[str, object]) -> str:
    """Kind and parameters as they are kept: equal ones are equal texts."""
    return json.dumps(dict(spec), sort_keys=True, default=str)


def make(placement: Placement, row: PolicyRow) -> Model:
    """The policy of a row, before it learned anything here.

    Raises:
        PolicyError: It cannot be built, or not for what this placement sees.
    """
    spec, names, floor = json.loads(row.spec), Names(**placement.names), placement.policy.floor
    if row.file is not None:
        policy = policy_of_file(row.file, names, placement.choices.ids, floor=floor)
    else:
        policy = policy_of_spec(spec, names, floor=floor)
    return Model(row.name, row.version, spec, policy, row.learns_after)


def _numbered(
    placement: Placement, model: Model, rows: Sequence[PolicyRow], now_us: int
) -> PolicyRow | None:
    """Give a configured policy its version; its row, where that is new."""
    text = spec_text(model.spec)
    own = [row for row in rows if row.name == model.name]
    same = [row.version for row in own if row.spec == text]
    if same:
        model.version = same[-1]
        return None
    model.version = 1 + max((row.version for row in own), default=0)
    file = file_of(model.policy)
    return PolicyRow(placement.name, model.name, model.version, text, file, 0, now_us)


def _build(placement: Placement, row: PolicyRow) -> None:
    key = f"{row.name}@{row.version}"
    if key in placement.models:
        return
    try:
        placement.models[key] = make(placement, row)
    except PolicyError as error:  # it stays in the store, for when the setting is changed back
        log.warning("policy_set_aside", placement=placement.name, policy=key, reason=str(error))


def _said(configured: Lineup) -> Said:
    challenger = configured.challenger
    return {
        "policy": configured.champion.key,
        "challenger": challenger and challenger.key,
        "share": configured.share,
    }


def _continued(
    placement: Placement, latest: Step, configured: Lineup, said: Said
) -> tuple[Lineup, str]:
    """The lineup of the latest step under what is configured now, and what changed by that."""
    then = json.loads(latest.row.lineup)
    if placement.pricing is not None:
        return _alone(latest, then, configured)
    before, changes = then["configured"], []
    moved = {before["policy"]: said["policy"], before["challenger"]: said["challenger"]}

    def now(key: str | None) -> Model | None:
        return None if key is None else placement.models.get(moved.get(key) or key)

    champion, challenger, fallback = map(
        now, (then["champion"], then["challenger"], then["fallback"])
    )
    share = then["share"]
    if champion is None:
        changes.append(f"{then['champion']} cannot decide here any more")
        champion, fallback = fallback or configured.champion, None
    if (before["challenger"], before["share"]) != (said["challenger"], said["share"]):
        if then["challenger"] in (None, before["challenger"]):
            challenger, share = configured.challenger, configured.share
        changes.append("[placements.challenger] changed")
    if before["policy"] != said["policy"]:
        changes.append("[placements.policy] changed")
    if challenger is None or challenger is champion:
        challenger, share = None, 0.0
    shadows = [shadow for shadow in map(now, then["shadows"]) if shadow is not None]
    if len(shadows) < len(then["shadows"]) or (then["challenger"] and challenger is None):
        changes.append("a challenger is not there any more")
    lineup = Lineup(
        champion,
        challenger,
        share,
        tuple(s for s in dict.fromkeys(shadows) if s not in (champion, challenger)),
        None if fallback is champion else fallback,
        latest.step,
        then["trial"] or latest.step,
    )
    was = (then["champion"], then["challenger"], then["share"])
    if (champion.key, challenger and challenger.key, share) != was:
        lineup = replace(lineup, trial=0)
    return lineup, "; ".join(changes)


def _alone(latest: Step, then: Said, configured: Lineup) -> tuple[Lineup, str]:
    """Of a price range: what is configured, and nothing beside it."""
    is_same = then["champion"] == configured.champion.key and not (
        then["challenger"] or then["shadows"] or then["fallback"]
    )
    trial = then["trial"] or latest.step
    lineup = replace(configured, step=latest.step, trial=trial if is_same else 0)
    return lineup, "" if is_same else "prices out of a range are drawn by what is configured"
