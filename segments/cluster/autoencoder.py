"""Trains an encoder with torch: a denoising autoencoder, which may have to foresee an outcome.

The only module of this room that needs torch; `neural` calls it off the request path, and what it
returns are plain arrays.

References:
    P. Vincent, H. Larochelle, Y. Bengio, P.-A. Manzagol, "Extracting and Composing Robust Features
    with Denoising Autoencoders", ICML 2008.
    I. Loshchilov, F. Hutter, "Decoupled Weight Decay Regularization", ICLR 2019 (AdamW).
    Z. Li, D. Hoiem, "Learning without Forgetting", ECCV 2016 (a refit stays near what the model
    before answered).
"""

from __future__ import annotations

import importlib.util
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from segments.errors import SegmentationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from segments.cluster.assign.base import Floats

MASKED_SHARE: Final = 0.3
"""Of the features of a visitor, hidden in training: the code has to tell them from the others."""
BATCH: Final = 512
LEARNING_RATE: Final = 3e-3
WEIGHT_DECAY: Final = 1e-3
OUTCOME_WEIGHT: Final = 3.0
ANCHOR_WEIGHT: Final = 10.0
"""Of the distance to where the encoder before put a visitor: a refit refines, it does not turn."""
FIRST_WEIGHTS_SEED: Final = 0
"""Every first fit starts from the same weights, so that two of them differ by their visitors."""


class Weights(NamedTuple):
    """Of an encoder: see `segments.cluster.assign.encoder`; `head` foresees the outcome."""

    hidden: Floats
    hidden_bias: Floats
    code: Floats
    code_bias: Floats
    head: Floats | None


@dataclass(frozen=True, slots=True)
class Size:
    """Of an encoder, and of its training.

    Args:
        n_hidden: units of the hidden layer.
        n_dimensions: of the code.
        n_steps: of gradient descent.
    """

    n_hidden: int
    n_dimensions: int
    n_steps: int


def train(
    points: Floats,
    outcome: Floats | None,
    start: Weights | None,
    size: Size,
    rng: np.random.Generator,
) -> Weights:
    """Trains an encoder, from the weights of the one before where there is one.

        loss = |decoded - x|² + 3 (foreseen - outcome)² + 10 |code - code before|²  (means)

    Args:
        points: scaled visitors, shape (n, n_columns).
        outcome: what the code has to foresee, standardised, shape (n,); None for nothing.
        start: weights of the same size to go on from.
        size: of layers and training.
        rng: draws batches and what is masked; the same state gives the same bits.

    Raises:
        SegmentationError: if torch is not installed; it names the command.
    """
    torch = _torch()
    first = start or _first_weights(points.shape[1], size, outcome is not None)
    shapes = np.random.default_rng(FIRST_WEIGHTS_SEED + 1)
    decoder = [
        _layer(shapes, size.n_dimensions, size.n_hidden), np.zeros(size.n_hidden),
        _layer(shapes, size.n_hidden, points.shape[1]), np.zeros(points.shape[1]),
    ]  # fmt: skip
    with _one_thread(torch):
        net = _Net(torch, first, decoder)
        optimizer = torch.optim.AdamW(net.parameters, LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        slowing = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, size.n_steps)
        anchor = None if start is None else _code(points, start)
        for _ in range(size.n_steps):
            rows = slice(None) if len(points) <= BATCH else rng.integers(0, len(points), BATCH)
            optimizer.zero_grad()
            net.loss(
                _Batch(points[rows], _some(outcome, rows), _some(anchor, rows)), rng
            ).backward()
            optimizer.step()
            slowing.step()
    return net.weights()


class _Batch(NamedTuple):
    """Some visitors: their points, outcomes, and where the encoder before put them."""

    points: Floats
    outcome: Floats | None
    anchor: Floats | None


class _Net:
    """The weights as torch's parameters, and the loss over a batch."""

    def __init__(self, torch: Any, first: Weights, decoder: list[Floats]) -> None:
        self._torch = torch
        encoder = [one for one in first if one is not None]
        self.parameters = [
            torch.nn.Parameter(torch.tensor(one, dtype=torch.float32))
            for one in (*encoder, *decoder)
        ]
        self._has_head = first.head is not None

    def loss(self, batch: _Batch, rng: np.random.Generator) -> Any:
        tanh, parameters = self._torch.tanh, self.parameters
        points, outcome, anchor = batch
        seen = self._tensor(points * (rng.random(points.shape) >= MASKED_SHARE))
        code = self._encoded(seen)
        w, b, v, c = parameters[-4:]
        total = (tanh(code @ w.T + b) @ v.T + c - self._tensor(points)).square().mean()
        if outcome is not None:
            foreseen = code @ parameters[4]
            total = total + OUTCOME_WEIGHT * (foreseen - self._tensor(outcome)).square().mean()
        if anchor is not None:
            apart = self._encoded(self._tensor(points)) - self._tensor(anchor)
            total = total + ANCHOR_WEIGHT * apart.square().mean()
        return total

    def weights(self) -> Weights:
        arrays = [one.detach().numpy().astype(np.float64) for one in self.parameters]
        hidden, hidden_bias, code, code_bias = arrays[:4]
        return Weights(hidden, hidden_bias, code, code_bias, arrays[4] if self._has_head else None)

    def _encoded(self, points: Any) -> Any:
        tanh = self._torch.tanh
        hidden, hidden_bias, code, code_bias = self.parameters[:4]
        return tanh(tanh(points @ hidden.T + hidden_bias) @ code.T + code_bias)

    def _tensor(self, values: Floats) -> Any:
        return self._torch.tensor(values, dtype=self._torch.float32)


def _some(values: Floats | None, rows: Any) -> Floats | None:
    return None if values is None else values[rows]


def _first_weights(n_columns: int, size: Size, has_head: bool) -> Weights:
    rng = np.random.default_rng(FIRST_WEIGHTS_SEED)
    return Weights(
        _layer(rng, n_columns, size.n_hidden),
        np.zeros(size.n_hidden),
        _layer(rng, size.n_hidden, size.n_dimensions),
        np.zeros(size.n_dimensions),
        _layer(rng, size.n_dimensions, 1)[0] if has_head else None,
    )


def _layer(rng: np.random.Generator, n_inputs: int, n_outputs: int) -> Floats:
    layer: Floats = rng.normal(0.0, n_inputs**-0.5, (n_outputs, n_inputs))
    return layer


def _code(points: Floats, weights: Weights) -> Floats:
    seen = np.tanh(points @ weights.hidden.T + weights.hidden_bias)
    code: Floats = np.tanh(seen @ weights.code.T + weights.code_bias)
    return code


def _torch() -> Any:
    if importlib.util.find_spec("torch") is None:
        raise SegmentationError(
            "the neural family is trained by torch, which is not installed: "
            "pip install 'segue[train]'"
        )
    import torch  # noqa: PLC0415  # optional, and slow to import

    return torch


@contextmanager
def _one_thread(torch: Any) -> Iterator[None]:
    """Several threads add up in any order, which is not the same bits twice."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
