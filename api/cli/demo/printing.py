"""Prints the demo's report with rich.

Where it stands: the last step of `segue demo`; `results.py` holds the numbers.
"""

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from api.cli.demo.replay import CHUNK
from api.cli.demo.results import FAVOURITE, LEARNED, Books, Report, Score, SegmentResult
from simulator.replay.baskets import LineCounts
from simulator.replay.intervals import Estimate


def print_report(console: Console, report: Report) -> None:
    """The table of policies, the segments in words, speed and books."""
    console.print(_policies(report))
    console.print(_verdict(report), highlight=False)
    console.print(f"[bold]{report.caveat}[/bold]\n")
    console.print(_segments(report.segments))
    console.print(_speed(report), highlight=False)
    console.print(_books(report.books) + "\n", highlight=False)


def print_input(console: Console, counts: LineCounts, n_baskets: int, n_households: int) -> None:
    """Say what was read, and what of it is not sent as it stands."""
    console.print(
        f"{n_households:,} households, {n_baskets:,} baskets, {counts.n_lines:,} lines. "
        "Times are the data's own, taken as UTC. "
        f"Left out: {counts.left_out:,} lines without quantity and value (nothing was bought). "
        f"Changed: {counts.by_measure:,} lines whose quantity is a measure (fuel) count as one "
        f"piece. Kept: {counts.without_category:,} lines without a category, which no tile can "
        f"match, and {counts.without_value:,} that the store received nothing for.\n",
        highlight=False,
    )


def print_next_steps(console: Console, configuration: Path, port: int, visitor: str) -> None:
    """Where to look next; the demo's own server has been stopped."""
    base = f"http://127.0.0.1:{port}"
    console.print("[bold]Where to look next[/bold]")
    for line in (
        f"segue serve --config {configuration}   # the same service again, with all it learned",
        f"curl {base}/v1/visitors/{visitor}   # a household's profile",
        f"curl {base}/v1/segments",
        f"curl {base}/v1/policies",
        f"sqlite-utils rows {configuration.parent / 'segue.db'} decisions --limit 5   # the log",
        "README.md: ask for a decision and report a reward; docs/: settings, routes, design",
    ):
        console.print("  " + escape(line), highlight=False, soft_wrap=True)


def _policies(report: Report) -> Table:
    table = Table(title="Hit rate: baskets that held the category of the tile shown before them")
    table.add_column("policy", no_wrap=True)
    for header in ("all", "95 % interval", "2nd half", "95 % interval"):
        table.add_column(header, justify="right")
    for score in report.scores:
        table.add_row(*_cells(score), style="bold" if score.policy == LEARNED else "")
    table.add_section()
    table.add_row("learned - own", *_cells(report.difference, "+.4f")[1:])
    table.caption = "The household's own favourite and the most popular count only earlier baskets."
    return table


def _cells(score: Score, form: str = ".4f") -> list[str]:
    cells = [score.policy]
    for estimate in (score.overall, score.second_half):
        cells += [format(estimate.value, form), _interval(estimate, form)]
    return [escape(cell.replace("0.", ".")) for cell in cells]


def _interval(estimate: Estimate, form: str) -> str:
    if estimate.n_clusters < 2:
        return "-"
    return f"[{format(estimate.low, form)}, {format(estimate.high, form)}]"


def _verdict(report: Report) -> str:
    rates = {score.policy: 100 * score.overall.value for score in report.scores}
    return (
        f"Of 100 baskets, the learned tile was in {rates[LEARNED]:.1f} and the household's own "
        f"favourite in {rates[FAVOURITE]:.1f}; {100 * report.any_tile:.1f} held any of the "
        f"{len(report.tiles)} tiles' categories at all. The learner saw only whether the tile that "
        "it showed was a hit. Intervals treat households as the independent units."
    )


def _segments(segments: tuple[SegmentResult, ...]) -> Table:
    table = Table(
        title="Segments at the end, and the tile that works best in each", show_lines=True
    )
    table.add_column("segment")
    table.add_column("who they are, what they spend, which tile hits most of their baskets")
    for one in segments:
        table.add_row(one.id, escape(f"{one.description}\n{_size(one)}\n{_best_tile(one)}"))
    table.caption = "Hit rates are real: all baskets of the segment's households."
    return table


def _size(one: SegmentResult) -> str:
    value = "" if one.value_cents is None else f", ${one.value_cents / 100:,.0f} each"
    return f"{one.size:,} visitors, {one.share:.0%}{value}"


def _best_tile(one: SegmentResult) -> str:
    if one.best_hit_rate is None:
        return "no baskets"
    return f"best tile: {one.best_tile}, in {one.best_hit_rate:.3f} of {one.n_baskets:,} baskets"


def _speed(report: Report) -> str:
    speed = report.speed
    return (
        f"{speed.n_decisions:,} decisions and as many orders in {speed.seconds:.1f} s: "
        f"{speed.decisions_per_second:,.0f} decisions a second with their orders; "
        f"a decision took {speed.median_ms:.1f} ms in the median and {speed.p99_ms:.1f} ms at the "
        f"99th percentile, with up to {CHUNK} in flight (waiting behind them included)."
    )


def _books(books: Books) -> str:
    return (
        f"The service learned from {books.service_rewards:,} rewards worth "
        f"{books.service_hits:,.0f} hits, read from the orders by itself; the client counted "
        f"{books.client_hits:,} hits in the data. {books.defaults:,} decisions fell back to the "
        "default tile."
    )
