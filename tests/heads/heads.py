"""One small head of each kind and sort, fitted to a few rows, for the tests of what all promise."""

from __future__ import annotations

import copy
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from occamhead import BASIS_SETS, EssenceHead, OccamHead
from occamhead.heads.base import SymbolicHead
from tests.essence.rules import bits, next_cell


class Fitted(NamedTuple):
    """A head in eval mode, and the rows and targets that it was fitted to."""

    head: SymbolicHead
    x: Tensor
    y: Tensor


def three_blobs(rows: int = 90) -> tuple[Tensor, Tensor]:
    """Points around three centres, with a fourth number that tells nothing."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(rows) % 3
    centres = torch.tensor([[0.0, 0, 5, 0], [3, 0, -5, 0], [0, 3, 0, 0]])
    return centres[labels] + 0.7 * torch.randn(rows, 4, generator=generator), labels


def three_labels() -> tuple[Tensor, Tensor]:
    """Any number of labels for each point."""
    x, _ = three_blobs()
    return x, (x[:, :3] > torch.tensor([1.0, 1.0, 0.0])).float()


def two_numbers() -> tuple[Tensor, Tensor]:
    """Numbers of a unit near 1."""
    x, _ = three_blobs()
    return x, torch.stack([x[:, 0] / 3 - 0.4, x[:, 2] / 4], dim=1)


def disc(rows: int = 200) -> tuple[Tensor, Tensor]:
    """Whether points lie in a disc."""
    x = torch.rand(rows, 2, generator=torch.Generator().manual_seed(0)) * 4 - 2
    return x, (x.square().sum(dim=1) < 2).long()


def life() -> tuple[Tensor, Tensor]:
    """All neighbourhoods of a cell of the Game of Life, and what becomes of it."""
    return torch.tensor(bits(9)).float(), torch.tensor(next_cell(bits(9)))


def one_class() -> tuple[Tensor, Tensor]:
    """The same, where nothing ever lives."""
    return life()[0], torch.zeros(512, dtype=torch.long)


def first_of_three() -> tuple[Tensor, Tensor]:
    """Three cells, of which the first tells all."""
    return life()[0][:, :3], life()[0][:, 0].long()


NUMBERS = BASIS_SETS["phi_b"].constants
OCCAM = {
    "sums": (three_blobs, {"bases": ["affine3"]}),
    "deep": (three_blobs, {"bases": [["tanh_affine3"] * 2, ["affine2"]]}),
    "phi_b": (three_blobs, {"bases": "phi_b", "depth": 2, "per_class": False, "noise": 3.0,
                            "constants": NUMBERS, "equalisation": 1.0}),
    "labels": (three_labels, {"bases": ["affine3"], "loss": "binary_cross_entropy"}),
    "numbers": (two_numbers, {"bases": ["affine3"], "loss": "squared_error"}),
}  # fmt: skip
ESSENCE = {
    "whole": (life, {}),
    "whole, one class": (one_class, {}),
    "whole, quadratic": (first_of_three, {"differentiae": "quadratic", "min_purity": 0.0}),
    "real": (three_blobs, {"inputs": "real", "subconcepts": 5}),
    "real, quadratic": (disc, {"inputs": "real", "differentiae": "quadratic", "penalty": 500.0,
                               "negligible": 0.05}),
    "real, found": (disc, {"inputs": "real", "differentiae": "occam", "max_functions": 20_000}),
}  # fmt: skip
HEADS = (*OCCAM, *ESSENCE)


def fitted(name: str) -> Fitted:
    """A copy of the head of a name, with what it was fitted to."""
    head, x, y = _fitted(name)
    return Fitted(copy.deepcopy(head), x.clone(), y.clone())


@cache
def _fitted(name: str) -> Fitted:
    data, options = {**OCCAM, **ESSENCE}[name]
    x, y = data()
    outputs = y.shape[1] if y.dim() > 1 else int(y.max()) + 1
    names = [f"class {i}" for i in range(outputs)]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        if name in OCCAM:
            head: SymbolicHead = OccamHead(x.shape[1], outputs, classes=names, **options)
            head.initialise(x, y)
        else:
            head = EssenceHead(x.shape[1], outputs, classes=names, **options).fit(x, y)
    return Fitted(head.eval(), x, y)


def changed(head: SymbolicHead) -> SymbolicHead:
    """A head of the same arguments that says something else."""
    torch.manual_seed(5)
    other = type(head)(**head.config())
    if isinstance(other, OccamHead):
        x = 2 * torch.randn(60, head.in_features)
        other.initialise(x, generator=torch.Generator().manual_seed(7))
    else:
        rows = three_blobs()[0] if head.in_features == 4 else disc()[0]
        rows = life()[0][:, : head.in_features] if head.inputs == "whole" else rows
        other.fit(rows, torch.arange(len(rows)) // 7 % head.out_features)
    return other.eval()
