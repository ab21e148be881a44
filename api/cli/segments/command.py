"""`segue segments`: the commands."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.table import Table

from api.cli.failing import fail, settings_of
from api.cli.remote import KEY
from api.cli.segments.explaining import explained
from api.cli.segments.files import read_crowd, write_fit, write_members
from api.cli.segments.options import (
    CONFIG,
    ConfigOption,
    FitOption,
    OutcomeOption,
    SeedOption,
    SourceOption,
    TargetOption,
    console,
)
from api.cli.segments.options import say as _say
from api.cli.segments.options import source_of as _source
from api.cli.segments.options import told as _told
from api.cli.segments.page import comparison_of, page_of
from api.cli.segments.refining import emerging, preview, response, search
from api.cli.segments.refitting import alone, by_service, dry
from api.cli.segments.report import compared, report
from api.cli.segments.searching import settings_if_any
from api.cli.segments.source import NamedFit, Source
from api.cli.segments.tables import (
    change_in_words,
    changes,
    in_words,
    moved_in_words,
    of_fits,
    of_flows,
    of_moves,
    of_refits,
    of_segments,
    verdicts,
)
from api.loop.hand_made import belongings
from api.segment_families import FAMILIES, LEARNING
from api.storage.visitor_log import Crowd
from api.worker.verdict import Request
from segments.cluster.family import Cohort
from segments.cluster.fitting import fit_segments

app = typer.Typer(no_args_is_help=True, help="Segments: what they are, who moved, and why.")
for command in (emerging, preview, response, search):
    app.command()(command)
LAST_STORIES = 10
LAST_CHANGES = 5


@app.command("list")
def list_fits(config: ConfigOption = CONFIG, source: SourceOption = None) -> None:
    """List the fits of a store: when, how many visitors and segments, what became of them."""
    with _told():
        where = _source(config, source)
        fits, refits = where.fits(), where.refits()
    if not fits:
        typer.echo("no fit yet: the service makes one when it knows segments.min_visitors visitors")
    else:
        console.print(of_fits(fits))
    stories = [row for row in refits if row.reason is not None]
    if stories:
        console.print(of_refits(stories[-LAST_STORIES:]))


@app.command()
def show(  # noqa: PLR0913, PLR0917  # each is an option of the command
    fit: FitOption = None,
    config: ConfigOption = CONFIG,
    source: SourceOption = None,
    target: TargetOption = None,
    outcome_days: OutcomeOption = None,
    draws: Annotated[int, typer.Option(min=0, help="Fits for the stability; 0 for none.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Write a page (HTML).")] = None,
    members: Annotated[
        Path | None, typer.Option(help="Write who is in which, as .csv or .parquet.")
    ] = None,
    seed: SeedOption = 0,
) -> None:
    """Say what the segments are and how far to trust them, for the visitors of now."""
    rng = np.random.default_rng(seed)
    with _told():
        where = _source(config, source, target)
        found = report(
            where,
            where.fit(fit),
            rng,
            draws=draws,
            outcome_days=outcome_days,
            criteria=settings_if_any(config, source).criteria.criteria(),
        )
        if members is not None:
            write_members(members, found.crowd, found.fit.segmentation)
        console.print(of_segments(found))
        _say(*verdicts(found))
        if draws and found.stability is None:
            _say(f"How {found.fit.name} was fitted is not known: no stability.")
        if out is not None:
            _write(out, page_of(found, rng))


@app.command()
def compare(
    old: Annotated[str, typer.Argument(help="Number of a fit, or its file.")],
    new: Annotated[str, typer.Argument(help="A later one.")],
    config: ConfigOption = CONFIG,
    source: SourceOption = None,
    before: Annotated[
        Path | None, typer.Option(help="With a .parquet --source: the visitors of the old time.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write a page (HTML) with the flows.")] = None,
) -> None:
    """Say who moved between two fits, and whether the model, they or both changed."""
    with _told():
        where = _source(config, source)
        fits = where.fit(old), where.fit(new)
        crowds = _crowds(where, before, fits)
        found, ids = compared((fits[0], crowds[0]), (fits[1], crowds[1]))
        names = fits[0].name, fits[1].name
        console.print(of_flows(found, f"from {names[0]} to {names[1]}"))
        _say(moved_in_words(found))
        if out is not None:
            _write(out, comparison_of(found, ids, names))


@app.command()
def explain(
    visitor: Annotated[str, typer.Argument(help="Any id of theirs.")],
    fit: FitOption = None,
    config: ConfigOption = CONFIG,
    source: SourceOption = None,
    seed: SeedOption = 0,
) -> None:
    """Say why a visitor is in their segment, and when they leave it by doing nothing."""
    with _told():
        where = _source(config, source)
        named = where.fit(fit)
        hand_made = belongings(settings_if_any(config, source).hand_made)
        found = explained(where, named, visitor, np.random.default_rng(seed), hand_made)
        moved = [] if where.log is None else where.log.changes(found.visitor, LAST_CHANGES)
    segment = found.segment
    _say(f"{found.visitor} is in {segment.id}: {segment.description} ({named.name}).")
    if found.rule is not None and found.rule != segment.description:
        agrees = "holds" if found.agrees else "does not hold"
        _say(f"In rules, {segment.id} is: {found.rule}. That {agrees} for {found.visitor}.")
    if found.hand_made:
        _say(f"Made by hand, and theirs: {', '.join(found.hand_made)}.")
    table = Table("feature", found.visitor, f"median of {segment.id}", "median of all")
    for trait in found.traits:
        values = (trait.own, trait.segment, trait.everybody)
        table.add_row(trait.feature, *(f"{value:,.4g}" for value in values))
    console.print(table)
    _say(*map(change_in_words, moved))
    if found.leaves is not None:
        _say(
            f"By doing nothing, moves to {found.leaves.target} on {found.leaves.at:%Y-%m-%d %H:%M}."
        )


@app.command()
def refit(
    config: ConfigOption = CONFIG,
    url: Annotated[
        str | None,
        typer.Option(
            help=f"Of the running service, with a key in {KEY}; else its store is opened."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would come of it.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Adopt it whatever its churn.")] = False,
) -> None:
    """Fit the service's own segments again, within their churn budget."""
    settings, asked = settings_of(config), Request(dry_run, force)
    with _told():
        if url is not None:
            _say(by_service(url, asked))
        elif dry_run:
            said, fitted = dry(settings, asked)
            _say(said)
            for segment in fitted.segments:
                _say(in_words(segment))
        else:
            _say(alone(settings, asked))


@app.command()
def moves(
    config: ConfigOption = CONFIG,
    source: SourceOption = None,
    days: Annotated[float, typer.Option(min=0.0, help="Back from the last event.")] = 30.0,
) -> None:
    """Say who changed segment lately, from where to where and why, as it happened."""
    with _told():
        where = _source(config, source)
        if where.log is None:
            fail("--source is a .parquet: changes are in a store")
        since = where.log.latest() - timedelta(days=days)
        console.print(of_moves(where.log.flows(since), f"since {since:%Y-%m-%d %H:%M}"))


@app.command("fit")
def fit_command(  # noqa: PLR0913, PLR0917  # each is an option of the command
    out: Annotated[Path, typer.Option(help="Where to write the segmentation.")],
    family: Annotated[str, typer.Option(help=f"{', '.join(FAMILIES)}.")] = "value-tiers",
    n_segments: Annotated[int, typer.Option(min=2, max=8, help="Of k-means and neural.")] = 6,
    previous: Annotated[
        str | None, typer.Option(help="Fit whose names go on: a number or a file; else none.")
    ] = None,
    config: ConfigOption = CONFIG,
    source: SourceOption = None,
    target: TargetOption = None,
    outcome_days: OutcomeOption = None,
    seed: SeedOption = 0,
) -> None:
    """Fit segments of any family into a file; the service's own stay as they are."""
    if family not in FAMILIES:
        fail(f"--family is {family!r:.80}: must be one of {', '.join(FAMILIES)}")
    rng = np.random.default_rng(seed)
    with _told():
        where = _source(config, source, target)
        learns = family in LEARNING or outcome_days is not None
        crowd = where.with_outcome(outcome_days or 90) if learns else where.now()
        before = None if previous is None else where.fit(previous).segmentation
        cohort = Cohort(crowd.vectors, crowd.feature_names, crowd.outcome)
        fitted = fit_segments(FAMILIES[family](n_segments), cohort, previous=before, rng=rng)
        write_fit(out, fitted, crowd.at)
    for segment in fitted.segments:
        _say(in_words(segment))
    _say(f"{out}: {family}, version {fitted.version}; {changes(fitted)}")


def _crowds(
    where: Source, before: Path | None, fits: tuple[NamedFit, NamedFit]
) -> tuple[Crowd, Crowd]:
    """The visitors at the times of two fits."""
    if where.log is None:
        if before is None:
            fail("--source is a .parquet: name the visitors of the old time with --before")
        return read_crowd(before), where.now()
    first, second = (fit.fitted_at for fit in fits)
    if first is None or second is None:
        fail("a fit does not say of what time its visitors are; compare it on .parquet files")
    if first > second:
        fail(f"{fits[0].name} is later than {fits[1].name}: name the earlier one first")
    old, new = where.log.crowds([first, second])
    return old, new


def _write(out: Path, page: str) -> None:
    try:
        out.write_text(page, encoding="utf-8")
    except OSError as error:
        fail(f"{out} cannot be written: {error}")
    _say(f"the same as a page: {out}")
