"""Moves: what a lineup becomes when a policy is shadowed, mixed, promoted or rolled back.

Nothing but values; `api.loop.roster` records each move before it is made. A move that makes no
sense is refused with what to do instead.
"""

from dataclasses import replace

from api.loop.errors import ConflictError
from api.loop.lineup import Lineup, Model


def shadowed(lineup: Lineup, model: Model) -> Lineup:
    """A policy that stood by is asked from now on, and not followed.

    Raises:
        ConflictError: It does something else already.
    """
    _refuse(lineup, model, "champion", "mixture", "shadow")
    return replace(lineup, shadows=(*lineup.shadows, model))


def mixed(lineup: Lineup, model: Model, share: float) -> Lineup:
    """A policy takes a share of the decisions; with another share, its trial begins anew.

    Raises:
        ConflictError: It is the champion, or another one is on trial.
    """
    _refuse(lineup, model, "champion")
    _refuse_beside(lineup, model)
    shadows = _without(lineup, model)
    return replace(lineup, challenger=model, share=share, shadows=shadows, trial=0)


def promoted(lineup: Lineup, model: Model) -> Lineup:
    """A policy becomes the champion, and the one before stays ready to be it again.

    Out of a mixture, the two exchange their roles: the champion before takes the share that the
    challenger had, so that evidence for a way back goes on coming in. Where it is the champion
    before that is promoted, the trial is over.

    Raises:
        ConflictError: It is the champion, or another one is on trial.
    """
    _refuse(lineup, model, "champion")
    if model is lineup.fallback:
        _refuse_beside(lineup, model)
        return replace(
            lineup, champion=model, challenger=None, share=0.0, shadows=_without(lineup, model),
            fallback=None, trial=0,
        )  # fmt: skip
    _refuse_beside(lineup, model)
    was_mixed = lineup.challenger is model
    return replace(
        lineup,
        champion=model,
        challenger=lineup.champion if was_mixed else None,
        share=lineup.share if was_mixed else 0.0,
        shadows=_without(lineup, model),
        fallback=lineup.champion,
        trial=0,
    )


def rolled_back(lineup: Lineup, model: Model) -> Lineup:
    """A challenger ends its trial, a shadow is asked no more, a champion gives way.

    Raises:
        ConflictError: It does nothing that could be taken back.
    """
    if model is lineup.champion:
        if lineup.fallback is None:
            rule = f"{model.key} is the champion and there was none before: promote another one"
            raise ConflictError("policy", model.key, rule)
        return promoted(lineup, lineup.fallback)
    if model is lineup.challenger:
        return replace(lineup, challenger=None, share=0.0, trial=0)
    if model in lineup.shadows:
        return replace(lineup, shadows=_without(lineup, model))
    rule = f"{model.key} takes no part in decisions: there is nothing to roll back"
    raise ConflictError("policy", model.key, rule)


def _refuse(lineup: Lineup, model: Model, *roles: str) -> None:
    role = lineup.role(model)
    if role in roles:
        rule = f"{model.key} has the role {role!r} already; roll it back first to change that"
        raise ConflictError("policy", model.key, rule)


def _refuse_beside(lineup: Lineup, model: Model) -> None:
    other = lineup.challenger
    if other is not None and other is not model:
        rule = f"{other.key} is on trial, and only one may be: roll it back or promote it first"
        raise ConflictError("policy", model.key, rule)


def _without(lineup: Lineup, model: Model) -> tuple[Model, ...]:
    return tuple(shadow for shadow in lineup.shadows if shadow is not model)
