"""Back ends: where the values of nodes are computed and scored. Both take the same nodes.

``CompiledValues`` runs on one CPU core by numba; ``TorchValues`` on any torch device.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from occamhead.network.bases import Basis
from occamhead.search.judging import scoring
from occamhead.search.judging.instructions import compile_bases, evaluate_nodes, make_scratch
from occamhead.search.judging.store import Nodes


class Scoring(NamedTuple):
    """What functions are scored against.

    Args:
        targets: [outputs, rows].
        weights: Weight of each row; they sum to 1.
        kind: Number of the fitness in :data:`scoring.FITNESS`.
        sigma: Standard deviation of the Gaussian likelihood.
        scaled: Whether a function stands for ``slope * f + intercept``.
        deviations: What the errors of each output are divided by.
        drop: Bits to round away before functions are compared.
    """

    targets: NDArray[np.float64]
    weights: NDArray[np.float64]
    kind: int
    sigma: float
    scaled: bool
    deviations: NDArray[np.float64]
    drop: int

    @property
    def shadow_targets(self) -> NDArray[np.float64]:
        return self.targets[:, 0].copy()


class Scores(NamedTuple):
    """Scores of functions, see :mod:`occamhead.search.judging.scoring`; each has one entry a
    function."""

    fitness: NDArray[np.float64]
    error: NDArray[np.float64]
    shape: NDArray[np.float64]
    key: NDArray[np.uint64]


class Values(Protocol):
    """The values of the nodes that have any, one row of them per node."""

    def evaluate(self, nodes: Nodes, ids: NDArray[np.int32]) -> None:
        """Compute the values of new nodes, children first."""

    def score(self, rows: NDArray[np.int32], outputs: NDArray[np.int32], wanted: Scoring) -> Scores:
        """Score rows of values against outputs."""

    def keep(self, old_rows: NDArray[np.int32]) -> None:
        """Move the rows that are left to the front."""

    def host(self) -> NDArray[np.floating]:
        """The values as an array on the host, [rows, data rows]."""


class CompiledValues:
    """Values on the host, computed by compiled loops.

    Args:
        bases: What basis numbers mean.
        leaves: Values of the leaves, [leaves, data rows]; float32 or float64.
        max_rows: Rows of values to make room for.
    """

    def __init__(self, bases: Sequence[Basis], leaves: NDArray[np.floating], max_rows: int) -> None:
        self.instructions = compile_bases(bases)
        self.values = np.empty((max_rows, leaves.shape[1]), leaves.dtype)
        self.values[: len(leaves)] = leaves
        self.scratch = make_scratch(self.instructions, leaves.dtype)

    def evaluate(self, nodes: Nodes, ids: NDArray[np.int32]) -> None:
        evaluate_nodes(
            self.instructions, ids, nodes.basis, nodes.children, nodes.row, self.values,
            self.scratch,
        )  # fmt: skip

    def score(self, rows: NDArray[np.int32], outputs: NDArray[np.int32], wanted: Scoring) -> Scores:
        return score_on_host(self.values, rows, outputs, wanted)

    def keep(self, old_rows: NDArray[np.int32]) -> None:
        move_rows(self.values, old_rows)

    def host(self) -> NDArray[np.floating]:
        return self.values


def score_on_host(
    values: NDArray[np.floating],
    rows: NDArray[np.int32],
    outputs: NDArray[np.int32],
    wanted: Scoring,
) -> Scores:
    """:meth:`Values.score` for values on the host."""
    scores = empty_scores(len(rows))
    scoring.score_rows(
        values, rows, outputs, wanted.targets, wanted.weights, wanted.kind, wanted.sigma,
        wanted.scaled, wanted.deviations, wanted.shadow_targets, wanted.drop, *scores,
    )  # fmt: skip
    return scores


def empty_scores(count: int) -> Scores:
    """Room for the scores of `count` functions."""
    return Scores(np.empty(count), np.empty(count), np.empty(count), np.empty(count, np.uint64))


def move_rows(values: NDArray[np.floating], old_rows: NDArray[np.int32]) -> None:
    """Row i becomes what row ``old_rows[i] >= i`` was, without a copy of the whole."""
    for new, old in enumerate(old_rows.tolist()):
        if new != old:
            values[new] = values[old]


class TorchValues:
    """Values on a torch device: new nodes of one layer and basis are computed together.

    Args:
        bases: What basis numbers mean.
        leaves: Values of the leaves, [leaves, data rows].
        max_rows: Rows of values to make room for.
        device: Any torch device.
    """

    def __init__(
        self,
        bases: Sequence[Basis],
        leaves: NDArray[np.floating],
        max_rows: int,
        device: str | torch.device = "cpu",
    ) -> None:
        self.bases = tuple(bases)
        start = torch.from_numpy(np.ascontiguousarray(leaves))
        self.values = torch.empty(max_rows, leaves.shape[1], dtype=start.dtype, device=device)
        self.values[: len(leaves)] = start.to(device)

    def evaluate(self, nodes: Nodes, ids: NDArray[np.int32]) -> None:
        # Depth within the batch: what a node needs must be computed before it.
        first = int(ids[0]) if len(ids) else 0
        levels: dict[int, int] = {}
        groups: dict[tuple[int, int], list[int]] = {}
        for node in ids.tolist():
            basis = int(nodes.basis[node])
            below = nodes.children[node, : self.bases[basis].arity].tolist()
            level = 1 + max((levels.get(child, 0) for child in below if child >= first), default=0)
            levels[node] = level
            groups.setdefault((level, basis), []).append(node)
        for (_, basis), members in sorted(groups.items()):
            self._compute(nodes, self.bases[basis], np.array(members))

    def _compute(self, nodes: Nodes, basis: Basis, members: NDArray[np.int64]) -> None:
        rows = nodes.row[nodes.children[members, : basis.arity]].astype(np.int64)
        arguments = self.values[torch.from_numpy(rows).to(self.values.device)]
        # Data rows stay innermost: a gather is a copy of whole rows.
        result = basis(arguments.transpose(1, 2))
        places = torch.from_numpy(nodes.row[members].astype(np.int64))
        self.values[places.to(self.values.device)] = result

    def score(self, rows: NDArray[np.int32], outputs: NDArray[np.int32], wanted: Scoring) -> Scores:
        # On a CPU a few functions at a time, so that what lies between the steps stays in cache.
        size = CHUNK if self.values.device.type == "cpu" else max(len(rows), 1)
        parts = [
            self._score(rows[start : start + size], outputs[start : start + size], wanted)
            for start in range(0, len(rows), size)
        ]
        return Scores(*map(np.concatenate, zip(*parts, strict=True)))

    def _score(
        self, rows: NDArray[np.int32], outputs: NDArray[np.int32], wanted: Scoring
    ) -> Scores:
        device = self.values.device
        count = wanted.targets.shape[1]
        predicted = self.values[torch.from_numpy(rows.astype(np.int64)).to(device)].double()
        real = predicted[:, :count]
        index = torch.from_numpy(outputs.astype(np.int64)).to(device)
        target = torch.from_numpy(wanted.targets).to(device)[index]
        weights = torch.from_numpy(wanted.weights).to(device)
        final, sloped = _scaled(real, target, weights)
        deviations = torch.from_numpy(wanted.deviations).to(device)[index]
        after = _mean((final - target).square(), weights).sqrt() / deviations
        error = after
        if not wanted.scaled:
            error = _mean((real - target).square(), weights).sqrt() / deviations
        fitness = _fitness(real, target, weights, error, wanted)
        shape = torch.where(sloped, 1 / (1 + after), fitness.clamp_max(0.5))
        undefined, similar = error.isnan(), torch.zeros_like(error, dtype=torch.bool)
        if predicted.shape[1] > count:
            goal = torch.from_numpy(wanted.shadow_targets).to(device)[index].unsqueeze(1)
            exponents = ((predicted[:, count:] - goal) / wanted.sigma).square() / 2
            similar = torch.exp(-exponents).nan_to_num().mean(dim=1) >= scoring.SHADOW_LIMIT
            fitness, shape = (torch.where(similar, 0.0, s) for s in (fitness, shape))
            error = torch.where(similar, torch.inf, error)
        fitness, shape = (torch.where(undefined, torch.nan, s) for s in (fitness, shape))
        error = torch.where(undefined, torch.inf, error)
        errors = error.cpu().numpy()
        keys = self._keys(real, errors, wanted)
        keys[similar.cpu().numpy()] = 1
        keys[undefined.cpu().numpy()] = 0
        return Scores(fitness.cpu().numpy(), errors, shape.cpu().numpy(), keys)

    @staticmethod
    def _keys(real: Tensor, errors: NDArray[np.float64], wanted: Scoring) -> NDArray[np.uint64]:
        # On the host, from a sample of rows: integers are no strength of a device.
        stride = max(real.shape[1] // scoring.SAMPLE, 1)
        return scoring.keys(real[:, ::stride].cpu().numpy(), errors, wanted.scaled, wanted.drop)

    def keep(self, old_rows: NDArray[np.int32]) -> None:
        index = torch.from_numpy(old_rows.astype(np.int64)).to(self.values.device)
        for start in range(0, len(index), 1024):  # piece by piece: old rows lie behind new ones
            part = index[start : start + 1024]
            self.values[start : start + len(part)] = self.values[part]

    def host(self) -> NDArray[np.floating]:
        return self.values.cpu().numpy()


# Functions that are scored together on a CPU.
CHUNK = 64


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    """The weighted mean of each row.

    Not a matrix product: the last bit of one may depend on where in memory a row lies, and which
    functions are kept, and so the whole search, on the last bit.
    """
    return (values * weights).sum(dim=1)


def _scaled(predicted: Tensor, target: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Predictions after the best linear scaling, and whether that has a slope."""
    centre = _mean(predicted, weights)
    centred = predicted - centre.unsqueeze(1)
    mean = _mean(target, weights).unsqueeze(1)
    variance = _mean(centred.square(), weights)
    slope = _mean(centred * (target - mean), weights) / variance
    varies = variance > scoring.ROUNDING * centre.square()
    slope = torch.where(varies & slope.isfinite(), slope, 0.0).unsqueeze(1)
    undefined = torch.where(predicted.isfinite().all(dim=1, keepdim=True), 0.0, torch.nan)
    scaled = torch.where(slope == 0, 0.0, slope * centred) + mean + undefined
    return scaled, slope.squeeze(1) != 0


def _fitness(
    predicted: Tensor, target: Tensor, weights: Tensor, error: Tensor, wanted: Scoring
) -> Tensor:
    if wanted.kind == scoring.ERROR:
        return 1 / (1 + error)
    if wanted.kind == scoring.GAUSSIAN:
        exponents = ((predicted - target) / wanted.sigma).square() / 2
        return _mean(torch.where(exponents < 40, torch.exp(-exponents), 0.0), weights)
    if wanted.kind == scoring.ACCURACY:
        return _mean(((predicted > 0.5) == (target > 0.5)).double(), weights)
    losses = predicted.clamp_min(0) - predicted * target + torch.exp(-predicted.abs()).log1p()
    return torch.exp(-_mean(losses, weights))
