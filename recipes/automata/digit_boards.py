"""Boards of digits, each a cell that lives where it is large, and a network that sees them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from occamhead.checks import needs
from recipes.automata.rules import LIFE, WINDOW

Ints = NDArray[np.int64]
CELLS = WINDOW.num_inputs
ALIVE_FROM = 5  # the lowest digit that is alive; then half the cells are
TRAIN_DIGITS = 1200  # of 1797, chosen once, so that no seed learns from another's test digits
BATCH = 100  # boards a step
# Noise, decay and the number of steps are those at which the MLP, not the program, did best on
# boards of 300 training digits held out, with seeds 100 and 101, which are none of the table's.
NOISE = 1.0  # standard deviation of what is added to the numbers, full from half of the steps on
RATE, DECAY = 3e-3, 0.1


@dataclass(frozen=True)
class Digits:
    """Pictures, [digits, 8, 8] from 0 to 1, and whether each is alive, [digits] 0 or 1."""

    pictures: Tensor
    alive: Ints


@dataclass(frozen=True)
class Boards:
    """Which digits lie where, [boards, 9], and the next state of the middle cell, [boards]."""

    digits: Ints
    labels: Ints


def digits() -> tuple[Digits, Digits]:
    """Scikit-learn's 1797 digits of 8 x 8 pixels: those to train with and those to test with."""
    with needs("scikit-learn", "boards of digits"):
        from sklearn.datasets import load_digits

    small = load_digits()
    order = np.random.default_rng(0).permutation(len(small.target))
    pictures = torch.tensor(small.images / 16, dtype=torch.float32)
    alive = (small.target >= ALIVE_FROM).astype(np.int64)
    train, test = (
        Digits(pictures[torch.from_numpy(chosen)], alive[chosen])
        for chosen in (order[:TRAIN_DIGITS], order[TRAIN_DIGITS:])
    )
    return train, test


def draw(some: Digits, boards: int, generator: np.random.Generator) -> Boards:
    """Boards of digits drawn evenly, with their labels."""
    chosen = generator.integers(0, len(some.alive), (boards, CELLS))
    return Boards(chosen, LIFE.of_windows(some.alive[chosen]))


class BoardNet(nn.Module):
    """One number per digit by a shared backbone, and an MLP on the nine numbers of a board.

    Between the two is a sigmoid, from -1 to 1; in ``train()`` mode noise is added before it, so
    that only numbers far from 0, hence bits, carry through.

    Shape:
        Input [boards, 9, 8, 8]; output [boards, 2], a score per next state.
    """

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Unflatten(0, (-1, 1)),
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(512, 1),
            nn.Flatten(0),
        )
        self.head = nn.Sequential(
            nn.Linear(CELLS, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2)
        )

    def forward(self, pictures: Tensor, noise: float = NOISE) -> Tensor:
        numbers = self.backbone(pictures.flatten(0, 1)).unflatten(0, (-1, CELLS))
        if self.training:
            numbers = numbers + noise * torch.randn_like(numbers)
        scores: Tensor = self.head(torch.tanh(numbers / 2))
        return scores

    @torch.no_grad()
    def bits(self, some: Digits) -> Ints:
        """The numbers cut at 0, one bit per digit, [digits]."""
        return np.asarray((self.backbone(some.pictures) > 0).numpy().astype(np.int64))

    @torch.no_grad()
    def classes(self, some: Digits, boards: Boards) -> Ints:
        """The next state of each board, [boards]."""
        numbers = self.backbone(some.pictures)[torch.from_numpy(boards.digits)]
        return np.asarray(self.head(torch.tanh(numbers / 2)).argmax(dim=1).numpy())

    @torch.no_grad()
    def classes_of_bits(self, rows: Ints) -> Ints:
        """What the MLP makes of bits, [rows, 9]: the next state, [rows]."""
        ends = torch.from_numpy(2 * rows - 1).float()
        return np.asarray(self.head(ends).argmax(dim=1).numpy())


def trained(some: Digits, boards: Boards, steps: int, seed: int) -> BoardNet:
    """The network after training on the labels of the boards, in ``eval()`` mode."""
    torch.manual_seed(seed)
    model = BoardNet().train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=max(2, steps))
    chosen, labels = torch.from_numpy(boards.digits), torch.from_numpy(boards.labels)
    rounds = math.ceil(steps * BATCH / len(labels))
    order = torch.cat([torch.randperm(len(labels)) for _ in range(rounds)])
    for step, batch in enumerate(order.split(BATCH)[:steps]):
        # Full noise from the start would drown the first, faint numbers.
        noise = NOISE * min(1.0, 2 * step / steps)
        loss = cross_entropy(model(some.pictures[chosen[batch]], noise), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return model.eval()
