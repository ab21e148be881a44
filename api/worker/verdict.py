"""Whether a fit is adopted: too much churn is, only where somebody asks for it."""

from dataclasses import dataclass

from api.storage.base import RefitRow
from segments.cluster.segmentation import Segmentation


@dataclass(frozen=True, slots=True)
class Request:
    """A refit that somebody asked for.

    Args:
        dry_run: Only say what would come of it.
        force: Adopt it whatever its churn.
    """

    dry_run: bool = False
    force: bool = False


def judged(
    row: RefitRow, fitted: Segmentation, request: Request, *, max_churn: float, another: bool
) -> RefitRow:
    """What is to come of a fit, and why.

    Args:
        row: Of the refit, so far.
        fitted: What came out.
        request: How it was asked for.
        max_churn: Share of the visitors who may be called otherwise for the same behaviour.
        another: Whether the configuration asks for other segments than those in use.
    """
    row = row._replace(version=fitted.version, churn=fitted.churn)
    over = _over(fitted.churn, max_churn)
    if over is None:
        verdict, reason = "adopted", None
    elif another:
        verdict, reason = "adopted", f"other segments were asked for than those in use: {over}"
    elif request.force:
        verdict, reason = "adopted", f"it was forced: {over}"
    else:
        remedy = "force the refit, or raise segments.max_churn, to have it all the same"
        verdict, reason = "refused", f"{over}; {remedy}"
    if request.dry_run:
        said = f"it would be {verdict}" + (f": {reason}" if reason else "")
        return row._replace(outcome="dry-run", version=None, reason=said)
    version = fitted.version if verdict == "adopted" else None
    return row._replace(outcome=verdict, version=version, reason=reason)


def _over(churn: float | None, max_churn: float) -> str | None:
    """Why a fit exceeds the budget; None where it does not."""
    if churn is None or churn <= max_churn:
        return None
    return (
        f"{churn:.1%} of the visitors would be in another segment for the same behaviour, "
        f"more than the {max_churn:.1%} of segments.max_churn"
    )
