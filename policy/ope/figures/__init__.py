"""What an evaluation found, in figures: for a notebook, and for the page of `segue evaluate`.

A policy has one colour in all of them.
"""

from policy.ope.figures.estimates import (
    estimates_figure,
    groups_figure,
    lift_figure,
    support_figure,
)
from policy.ope.figures.learning import curves_figure, search_figure
from policy.ope.figures.overlap import shares_figure, weights_figure

__all__ = [
    "curves_figure",
    "estimates_figure",
    "groups_figure",
    "lift_figure",
    "search_figure",
    "shares_figure",
    "support_figure",
    "weights_figure",
]
