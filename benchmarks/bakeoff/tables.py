"""The bake-off in markdown.

Where it stands: the end of the run, before `benchmarks.report` prints it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.report import Cell, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.bakeoff.headline import Check, Duel
    from benchmarks.bakeoff.learner import Setting
    from benchmarks.bakeoff.scores import Score, Scores


def settings_table(scores: Scores, settings: Sequence[Setting]) -> Table:
    """Every setting that ran, best average first, then those that are not installed."""
    ran = [setting.name for setting in settings if setting.name in scores.settings]
    rows = [_setting_row(scores, name, ran) for name in sorted(ran, key=scores.average)[::-1]]
    missing = dict.fromkeys((s.family, s.package) for s in settings if not s.is_installed)
    empty = [None] * (len(scores.set_names) + 5)
    return Table(
        "Mean reward over one pass ± standard error over seeds",
        ("learner", *scores.set_names, "average", "us/round", "mean us", "wins - losses", "seeds"),
        [
            *rows,
            *(
                (f"{family}: {package} is not installed (pip install 'segue[peers]')", *empty)
                for family, package in missing
            ),
        ],
    )


def duels_table(fought: Sequence[Duel]) -> Table:
    """Our default less each family's best setting on each set, with its verdict at p < .05."""
    set_names = list(dict.fromkeys(duel.set_name for duel in fought))
    rows: list[list[Cell]] = []
    for family in dict.fromkeys(duel.family for duel in fought):
        by_set = {duel.set_name: duel for duel in fought if duel.family == family}
        average = sum(duel.difference for duel in by_set.values()) / len(by_set)
        balance = sum(duel.verdict for duel in by_set.values())
        cells = [_duel_cell(by_set[name]) for name in set_names]
        rows.append([family, *cells, f"{average:+.3f}", f"{balance:+d}"])
    return Table(
        "Our default less each peer's best setting on the set (* at p < .05)",
        ("against", *set_names, "average", "wins - losses"),
        rows,
    )


def best_peers_table(fought: Sequence[Duel], scores: Scores, default: str) -> Table:
    """Our default beside the best setting of any peer, set by set."""
    rows = []
    for name in scores.set_names:
        nearest = min((d for d in fought if d.set_name == name), key=lambda duel: duel.difference)
        ours, theirs = scores.score(default, name), scores.score(nearest.setting, name)
        rows.append((name, _score_cell(ours), nearest.setting, _score_cell(theirs)))
    return Table("Our default and the best peer", ("set", "ours", "best peer", "its reward"), rows)


def checks_table(found: Sequence[Check]) -> Table:
    """The claims, and whether they hold."""
    rows = [(c.claim, f"{c.measured:+.4g}", "yes" if c.holds else "NO") for c in found]
    return Table("Claims", ("claim", "measured", "holds"), rows)


def _setting_row(scores: Scores, name: str, others: Sequence[str]) -> list[Cell]:
    by_set = [scores.score(name, set_name) for set_name in scores.set_names]
    n_sets = len(by_set)
    return [
        name,
        *map(_score_cell, by_set),
        f"{scores.average(name):.4f}",
        round(sum(score.median_us for score in by_set) / n_sets, 1),
        round(sum(score.mean_us for score in by_set) / n_sets, 1),
        f"{scores.wins_minus_losses(name, others):+d}",
        min(score.n_seeds for score in by_set),
    ]


def _score_cell(score: Score) -> str:
    error = "" if score.error is None else f" ± {score.error:.3f}"
    return f"{score.reward:.3f}{error}"


def _duel_cell(duel: Duel) -> str:
    return f"{duel.difference:+.3f}{'*' if duel.verdict else ''}"
