"""The policies of a placement and its steps as tables."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from api.schemas.policies import (
    AuditResponse,
    EstimateResponse,
    PlacementPoliciesResponse,
    StepBody,
    TrialBody,
)


def print_policies(console: Console, found: PlacementPoliciesResponse) -> None:
    """Each policy with its role, and what the gate has seen."""
    table = Table(title=f"policies of {escape(found.placement)}, by step {found.step}")
    for name in ("policy", "kind", "role", "share", "learned", "through"):
        table.add_column(name)
    for one in found.policies:
        share = "" if one.share is None else f"{one.share:.0%}"
        style = "bold" if one.role == "champion" else ""
        learned = f"{one.n_updates:,}"
        row = (one.policy, one.kind, one.role, share, learned, str(one.learned_through))
        table.add_row(*map(escape, row), style=style)
    console.print(table)
    if found.trial is not None:
        print_trial(console, found.trial)


def print_trial(console: Console, trial: TrialBody) -> None:
    """What the gate has seen of the policy in the mixture."""
    low, high = trial.advantage
    console.print(
        f"gate: [bold]{trial.verdict}[/] after {trial.rows:,} settled decisions; "
        f"{escape(trial.challenger)} earns {low:+.4g} to {high:+.4g} beyond "
        f"{escape(trial.champion)}, a decision ({trial.level:.0%}, at any time)"
    )
    for metric, wealth in trial.log_wealth.items():
        bets = ", ".join(f"{side} {won:.2f}" for side, won in wealth.items())
        hurt = ", [red]hurt[/]" if metric in trial.hurt else ""
        console.print(
            f"  {metric}: log-wealth {bets} of {trial.needed[metric]:.2f} needed{hurt}",
            highlight=False,
        )
    if trial.verdict != "wait" and not trial.automatic:
        console.print("  automatic = false: nothing is done until you do it")


def print_estimate(console: Console, found: EstimateResponse) -> None:
    """What a policy would have earned, or why the log cannot tell."""
    rows = f"{found.rows:,} settled decisions, {found.effective_rows:,.0f} effective"
    if found.interval is None or found.advantage_interval is None:
        reasons = "; ".join(found.reasons)
        console.print(f"{found.policy}: the log cannot tell: {reasons}", markup=False)
        return
    low, high = found.interval
    least, most = found.advantage_interval
    console.print(
        f"{found.policy} would have earned {found.value:.4f} [{low:.4f}, {high:.4f}] a decision, "
        f"{found.advantage:+.4f} [{least:+.4f}, {most:+.4f}] beyond the champion ({rows}; 95 %, "
        "for one look)",
        markup=False,
    )


def print_steps(console: Console, found: AuditResponse) -> None:
    """Every step, the last one first."""
    table = Table(title=f"steps of {escape(found.placement)}")
    for name in ("step", "at (UTC)", "what", "policy", "by", "decisions before", "why"):
        table.add_column(name, overflow="fold")
    for step in found.steps:
        table.add_row(*map(escape, _cells(step)))
    console.print(table)


def _cells(step: StepBody) -> tuple[str, ...]:
    what = step.what if step.what != "mixture" else f"{step.what}, {step.share or 0:.0%}"
    at = step.at.strftime("%Y-%m-%d %H:%M:%S")
    through = f"{step.decisions_through:,}"
    return str(step.step), at, what, step.policy, step.actor, through, step.reason or ""
