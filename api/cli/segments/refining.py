"""`segue segments`: the commands that look for better segments, and for what they are good for."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from api.cli.failing import fail
from api.cli.segments.emerging import emerged, of_proposals
from api.cli.segments.files import write_fit
from api.cli.segments.options import (
    CONFIG,
    ConfigOption,
    FitOption,
    SeedOption,
    SourceOption,
    TargetOption,
    console,
    say,
    source_of,
    told,
)
from api.cli.segments.previewing import of_previews, previewed
from api.cli.segments.searching import (
    Terms,
    following,
    in_words,
    of_search,
    periods_of,
    searched,
    settings_if_any,
    tried,
)
from api.cli.segments.tables import changes, of_responses
from api.loop.hand_made import belonging, belongings
from api.storage.response_log import read_responses


def response(
    placement: Annotated[str, typer.Option(help="Whose actions.")],
    config: ConfigOption = CONFIG,
    source: SourceOption = None,
    top: Annotated[int, typer.Option(min=1, help="Actions of each segment, the best first.")] = 3,
) -> None:
    """Say which actions earn most in which segment, as if each had been shown to everybody."""
    with told():
        found = read_responses(source_of(config, source).path, placement)
    console.print(of_responses(found, top))


def preview(
    condition: Annotated[
        str | None,
        typer.Argument(help='Such as "profile.orders >= 3"; else those of the configuration.'),
    ] = None,
    config: ConfigOption = CONFIG,
    source: SourceOption = None,
) -> None:
    """Count who would be in a segment made by hand, and whom it shares with others."""
    configured = settings_if_any(config, source).hand_made
    if condition is None and not configured:
        fail("there is no [[segments.hand_made]]: give a condition")
    with told():
        asked = {} if condition is None else {"this condition": belonging(condition)}
        found = previewed(source_of(config, source), asked | belongings(configured))
    console.print(of_previews(found))


def search(  # noqa: PLR0913, PLR0917  # each is an option of the command
    only: Annotated[
        list[str] | None, typer.Option(help="Try those with this in their name; may be repeated.")
    ] = None,
    fit: FitOption = None,
    config: ConfigOption = CONFIG,
    source: SourceOption = None,
    target: TargetOption = None,
    outcome_days: Annotated[int, typer.Option(min=1, help="Length of each period.")] = 30,
    draws: Annotated[int, typer.Option(min=1, help="Fits for each candidate's stability.")] = 10,
    out: Annotated[Path | None, typer.Option(help="Write the winner, if it may take over.")] = None,
    seed: SeedOption = 0,
) -> None:
    """Search features, family and number of segments; hold the winner against the fit in use."""
    rng, settings = np.random.default_rng(seed), settings_if_any(config, source)
    with told():
        where = source_of(config, source, target)
        incumbent = where.fit(fit) if fit is not None or where.fits() else None
        periods, now = periods_of(where, outcome_days, rng), where.now()
        families = tried(now.feature_names, only or ())
        with following(len(families) + 1) as follow:
            terms = Terms(settings.criteria.criteria(), draws, follow)
            result = searched(periods, now, families, incumbent, terms, rng)
        console.print(of_search(result.found, None if incumbent is None else incumbent.name))
        say(*in_words(result.found))
        if out is not None and result.found.verdict.promoted:
            write_fit(out, result.fitted, now.at)
            say(f"{out}: version {result.fitted.version}; {changes(result.fitted)}")


def emerging(  # each is an option of the command
    fit: FitOption = None,
    config: ConfigOption = CONFIG,
    source: SourceOption = None,
    min_visitors: Annotated[int, typer.Option(min=2, help="Of a crowd, at least.")] = 30,
    min_share: Annotated[float, typer.Option(min=0.0, max=1.0, help="Likewise.")] = 0.01,
    accept: Annotated[
        int | None, typer.Option(help="Number of the proposal to make a segment of; with --out.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write the segmentation.")] = None,
) -> None:
    """Look for crowds that came up since a fit and fit into no segment."""
    if (accept is None) != (out is None):
        fail("--accept says which proposal becomes a segment, --out where to write that: give both")
    with told():
        where = source_of(config, source)
        found = emerged(where, where.fit(fit), min_visitors, min_share)
        say(
            f"Of {found.n_watched:,} visitors with an event since {found.fit.name}, "
            f"{found.n_newcomers:,} are unlike their segment. Crowds among them that were not "
            f"there: {len(found.proposals)}."
        )
        if found.proposals:
            console.print(of_proposals(found.proposals))
        if accept is not None and out is not None:
            fitted = found.with_accepted(accept)
            write_fit(out, fitted, found.now.at)
            say(f"{out}: version {fitted.version}; {changes(fitted)}")
