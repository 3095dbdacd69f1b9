"""The last layer with T-softmax before it and without, trained on frozen features."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from occamhead.commands.output import say, say_table
from occamhead.network.tsoftmax import TSoftmaxLinear
from occamhead.rows.metrics import accuracy
from occamhead.rows.objective import Rows

PAPER = {"t-softmax": 0.9918, "linear": 0.9843}
LEARNING_RATE, BATCH = 0.05, 64


def train(layer: nn.Module, rows: Rows, test: Rows, epochs: int, seed: int) -> list[float]:
    """Train by plain gradient descent; the accuracy on the test rows after each epoch."""
    features, labels = rows
    optimizer = torch.optim.SGD(layer.parameters(), LEARNING_RATE)
    order = torch.Generator().manual_seed(seed)
    accuracies = []
    for _ in range(epochs):
        for batch in torch.randperm(len(features), generator=order).split(BATCH):
            loss = nn.functional.cross_entropy(layer(features[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        accuracies.append(accuracy(layer, test))
    return accuracies


def run_one(
    variant: str, rows: Rows, test: Rows, seed: int, epochs: int, nodes: int | None
) -> dict[str, Any]:
    """Train one layer from one seed."""
    torch.manual_seed(seed)
    width, classes = rows[0].shape[1], int(rows[1].max()) + 1
    layer: nn.Module = nn.Linear(width, classes)
    if variant == "t-softmax":
        layer = TSoftmaxLinear(width, classes, nodes)
    start = time.perf_counter()
    accuracies = train(layer, rows, test, epochs, seed)
    row: dict[str, Any] = {
        "variant": variant,
        "seed": seed,
        "accuracies": accuracies,
        "maximum": max(accuracies),
        "last": accuracies[-1],
        "spread_over_epochs": float(np.std(accuracies[len(accuracies) // 2 :])),
        "seconds": time.perf_counter() - start,
    }
    if isinstance(layer, TSoftmaxLinear):
        formula = layer.formula()
        row["formula_accuracy"] = accuracy(formula, test)
        row["formula_features"] = len(formula.features)
    return row


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Mean over seeds, and spread over seeds and over the second half of the epochs."""
    found = {}
    for variant in dict.fromkeys(row["variant"] for row in rows):
        mine = [row for row in rows if row["variant"] == variant]
        means = {"paper": PAPER[variant]}
        for name in ("maximum", "last"):
            values = [row[name] for row in mine]
            means[name] = float(np.mean(values))
            means[f"{name}_spread"] = float(np.std(values))
        means["spread_over_epochs"] = float(np.mean([row["spread_over_epochs"] for row in mine]))
        if "formula_accuracy" in mine[0]:
            means["formula"] = float(np.mean([row["formula_accuracy"] for row in mine]))
        found[variant] = means
    return found


def say_summary(found: Mapping[str, Mapping[str, float]]) -> None:
    """The table of the means, the paper's on the right."""
    titles = ("", "maximum", "last epoch", "over epochs", "formula", "paper")
    lines = []
    for variant, means in found.items():
        best, last = (f"{means[n]:.2%} ± {means[f'{n}_spread']:.2%}" for n in ("maximum", "last"))
        formula = f"{means['formula']:.2%}" if "formula" in means else None
        rest = f"{means['spread_over_epochs']:.2%}", formula, f"{means['paper']:.2%}"
        lines.append((variant, best, last, *rest))
    say()
    say_table(titles, lines)
