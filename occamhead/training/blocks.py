"""Blocks of nodes for each class, trained on all features and pruned to few."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from occamhead.checks import check_counts
from occamhead.heads.writing import Blocks
from occamhead.network.bases import FAMILIES
from occamhead.rows.objective import Rows
from occamhead.saving import NOWHERE, Kept

BATCH = 256
# Share of each label that is spread over all classes. Without it the rows that are learnt have no
# slope left, and the few that are not decide what is pruned: 0.1 is worth a point at few features.
SMOOTHING = 0.1
LEARNING_RATE = 3e-3
# Steps between two prunings, and rows that each of them looks at.
PRUNE_EVERY, LOOK_AT = 50, 1500

# How many to keep, by the progress of a stage from 0 to 1.
Course: TypeAlias = Callable[[float], int]


@dataclass(frozen=True)
class Pruning:
    """How blocks are trained and pruned.

    Args:
        nodes: Nodes of each class.
        terms: Most terms of each node.
        family: Name of the nodes' bases, a family that is a function of a weighted sum.
        per_class: Whether each class has features of its own.
        steps: Optimiser steps on the way to each budget, and as many at it.
        seed: Seed of the weights and of the batches.
    """

    nodes: int
    terms: int
    family: str
    per_class: bool
    steps: int
    seed: int


class PrunedBlocks(nn.Module):
    """A score per class from nodes of its own, ``sum_h outer_h * f(weight_h @ z + offset_h)``.

    Args:
        features: Number of features.
        classes: Number of classes.
        nodes: Nodes of each class.
        family: Name of the nodes' bases, a family that is a function of a weighted sum.
        generator: Source of the initial weights.

    Shape:
        Input [batch, features]; output [batch, classes].
    """

    alive: Tensor

    def __init__(
        self, features: int, classes: int, nodes: int, family: str, generator: torch.Generator
    ) -> None:
        super().__init__()
        check_counts(nodes=nodes)
        function = FAMILIES[family].of_sum if family in FAMILIES else None
        if function is None or "{sum}" not in FAMILIES[family].formula:
            known = [name for name, each in FAMILIES.items() if "{sum}" in each.formula]
            raise ValueError(f"family must be one of {', '.join(known)}, got {family!r}")
        self.family, self.function = family, function

        def normal(*sizes: int, scale: float) -> nn.Parameter:
            return nn.Parameter(scale * torch.randn(*sizes, generator=generator))

        self.weight = normal(classes, nodes, features, scale=features**-0.5)
        self.offset = nn.Parameter(torch.zeros(classes, nodes))
        self.outer = normal(classes, nodes, scale=0.5)
        self.bias = nn.Parameter(torch.zeros(classes))
        self.register_buffer("alive", torch.ones(classes, nodes, features))

    def sums(self, z: Tensor) -> Tensor:
        """What the nodes are functions of, [batch, classes, nodes]."""
        flat = (self.weight * self.alive).flatten(0, 1)
        return F.linear(z, flat, self.offset.flatten()).unflatten(1, self.offset.shape)

    def forward(self, z: Tensor) -> Tensor:
        return (self.function(self.sums(z)) * self.outer).sum(dim=2) + self.bias

    def saliency(self, rows: Rows, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """What the loss would rise by, to second order, without each input of a class or a node.

        The Hessian is taken to be the diagonal of the Fisher information: the rise is half the sum
        over rows of the squared derivative by a gate on the input (Theis et al. 2018, arXiv
        1801.05787), here up to a constant factor.

        Returns:
            Of the features of each class, [classes, features], and of each weight, [classes,
            nodes, features].
        """
        z, y = rows
        sums = self.sums(z).detach().requires_grad_(True)
        scores = (self.function(sums) * self.outer).sum(dim=2) + self.bias
        # Slopes are squared below, and so is what they are multiplied by here.
        root = None if weight is None else weight.sqrt()
        (slopes,) = torch.autograd.grad(_loss(scores, y, root, reduction="sum"), sums)
        squares = z.square()
        with torch.no_grad():
            weight = self.weight * self.alive
            # Class by class: rows x classes x features at once would be much.
            of_class = torch.stack(
                [
                    ((slopes[:, k] @ weight[k]).square() * squares).sum(dim=0)
                    for k in range(len(weight))
                ]
            )
            of_weight = slopes.square().flatten(1).T @ squares
            return of_class, of_weight.view_as(weight) * weight.square()

    @torch.no_grad()
    def prune(
        self,
        rows: Rows,
        features: int,
        terms: int,
        per_class: bool = True,
        weight: Tensor | None = None,
    ) -> None:
        """Keep the most salient features, and of these the most salient terms of each node.

        Args:
            rows: Standardised features and labels to look at.
            features: Features to keep, of each class or in all.
            terms: Terms to keep of each node.
            per_class: Whether each class has features of its own.
            weight: What each row counts; None counts all alike.
        """
        with torch.enable_grad():
            of_class, of_weight = self.saliency(rows, weight)
        read = self.alive.amax(dim=1)
        # What is pruned stays so, whatever the tie.
        of_class = torch.where(read > 0, of_class, -1.0)
        if not per_class:
            of_class = of_class.clamp_min(0).sum(dim=0).expand_as(of_class)
        self.alive *= _largest(of_class, features).unsqueeze(1)
        self.alive *= _largest(torch.where(self.alive > 0, of_weight, -1.0), terms)

    @torch.no_grad()
    def blocks(self) -> Blocks:
        """The weights as they are."""
        offset, outer, bias = (p.detach().clone() for p in (self.offset, self.outer, self.bias))
        return Blocks(self.weight * self.alive, offset, outer, bias, self.family)


def _loss(
    scores: Tensor, labels: Tensor, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    if weight is None:
        return F.cross_entropy(scores, labels, reduction=reduction, label_smoothing=SMOOTHING)
    losses = F.cross_entropy(scores, labels, reduction="none", label_smoothing=SMOOTHING) * weight
    return losses.sum() if reduction == "sum" else losses.mean()


def _largest(values: Tensor, count: int) -> Tensor:
    """1 where a value is among the `count` largest of its row, else 0."""
    if count >= values.shape[-1]:
        return torch.ones_like(values)
    return torch.zeros_like(values).scatter(-1, values.topk(count, dim=-1).indices, 1.0)


def prune_path(
    rows: Rows,
    classes: int,
    budgets: Iterable[int],
    pruning: Pruning,
    weight: Tensor | None = None,
    kept: Kept = NOWHERE,
) -> Iterator[tuple[int, Blocks]]:
    """Blocks for each budget of features, the largest first.

    One network is trained on all features, then pruned step by step to each budget in turn while
    it trains on. At each budget a copy is pruned to the terms of a node and trained to the end,
    with a falling learning rate.

    Args:
        rows: Standardised features and labels.
        classes: Number of classes.
        budgets: Most features, of each class or in all.
        pruning: How.
        weight: What each row counts, 1 in the mean; None counts all alike.
        kept: Where the budgets that are done are kept.
    """
    generator = torch.Generator().manual_seed(pruning.seed)
    z, steps, count = rows[0], pruning.steps, rows[0].shape[1]
    network = PrunedBlocks(count, classes, pruning.nodes, pruning.family, generator)

    def pruner(network: PrunedBlocks, features: Course, terms: Course) -> Callable[[float], None]:
        def prune(progress: float) -> None:
            some = torch.randint(len(z), (min(len(z), LOOK_AT),), generator=generator)
            looked_at = z[some], rows[1][some]
            counts = None if weight is None else weight[some]
            kept = features(progress), terms(progress)
            network.prune(looked_at, *kept, pruning.per_class, counts)

        return prune

    def keep(name: str, blocks: Blocks | None = None) -> None:
        state = {"network": network.state_dict(), "generator": generator.get_state()}
        kept.write(name, state if blocks is None else {**state, "blocks": vars(blocks)})

    def done(name: str) -> Any:
        if (state := kept.read(name)) is not None:
            network.load_state_dict(state["network"])
            generator.set_state(state["generator"])
        return state

    if done("all features") is None:
        _train(network, rows, max(1, steps // 3), generator, weight=weight)
        keep("all features")
    everything = _falling(count, count, 1.0)
    for budget in sorted(set(budgets), reverse=True):
        before, count = count, min(budget, count)
        if (state := done(f"{budget} features")) is not None:
            yield budget, Blocks(**state["blocks"])
            continue
        # All pruned at nine tenths of the way, so that the rest has time to settle.
        narrow = pruner(network, _falling(before, count, 0.9), everything)
        _train(network, rows, steps, generator, narrow, weight=weight)
        narrow(1.0)
        final = copy.deepcopy(network)
        thin = pruner(final, everything, _falling(count, min(pruning.terms, count), 0.5))
        _train(final, rows, steps, generator, thin, cool=True, weight=weight)
        thin(1.0)
        blocks = final.blocks()
        keep(f"{budget} features", blocks)
        yield budget, blocks


def _falling(first: int, last: int, end: float) -> Course:
    """From the first number to the last, geometrically, which is reached at progress `end`."""
    return lambda progress: round(first * (last / first) ** min(1.0, progress / end))


def _train(
    network: PrunedBlocks,
    rows: Rows,
    steps: int,
    generator: torch.Generator,
    prune: Callable[[float], None] | None = None,
    cool: bool = False,
    weight: Tensor | None = None,
) -> None:
    """Adam on the cross-entropy; `prune` is called now and then with the progress so far."""
    z, y = rows
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    batches = max(1, len(z) // BATCH)
    order: tuple[Tensor, ...] = ()
    for step in range(steps):
        if step % batches == 0:
            order = torch.randperm(len(z), generator=generator).tensor_split(batches)
        if cool:
            optimizer.param_groups[0]["lr"] = LEARNING_RATE * (1 - step / steps)
        index = order[step % batches]
        counts = None if weight is None else weight[index]
        loss = _loss(network(z[index]), y[index], counts)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if prune is not None and step % PRUNE_EVERY == 0:
            prune(step / steps)
