"""Fit a head by evolution: which features its formulas use, and their numbers."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from occamhead.checks import check_counts
from occamhead.heads.occam import OccamHead
from occamhead.rows.objective import one_thread
from occamhead.rows.weights import ClassWeight, repeats
from occamhead.saving import NOWHERE, Kept
from occamhead.search.checks import check_can_hold
from occamhead.search.evolution import Evolution
from occamhead.search.judging.gram import sum_places
from occamhead.search.judging.sampling import NONE
from occamhead.search.strategy import Strategy
from occamhead.training.course import (
    Round,
    Settings,
    course,
    feature_names_of,
    finish,
    head_options,
    prepare,
)
from occamhead.training.kept_training import kept_fit
from occamhead.training.path import Size, check_size, size_for
from occamhead.training.results import Fit
from occamhead.training.trainer import as_module, shape

# A temperature at which a soft network is its most probable formula; where backprop ends, too.
END_TEMPERATURE = 0.03


def evolve_head(
    head: OccamHead,
    features: Tensor,
    targets: Tensor,
    strategy: Strategy | None = None,
    start: NDArray[np.int32] | None = None,
    kept: Kept = NOWHERE,
) -> Evolution:
    """Search for the formulas of a head, in place.

    Afterwards :meth:`OccamHead.formula` is what was found, over raw features.

    Args:
        head: Where the search starts; its standardisation is kept (see `initialise`). One for
            numbers has the loss "squared_error".
        features: Raw features, [rows, in_features].
        targets: Labels [rows], which become one-hot, or numbers to fit, [rows, out_features].
        strategy: How to search.
        start: Routes that the search starts from as well; see :meth:`Evolution.propose`.
        kept: Where the search is kept while it runs; see :meth:`Evolution.search`.

    Returns:
        The search, for those who want its archive.

    Raises:
        ValueError: If the rows do not fit the head, or the numbers of what is found may have no
            place in it: with linear scaling, or free constants that classes share.
    """
    check_can_hold(head.network.layout, strategy or Strategy())
    if not targets.is_floating_point():
        targets = F.one_hot(targets, head.out_features)
    shown = head.standardised(features.to(head.feature_mean))
    search = Evolution(head.network, shown.cpu().numpy(), targets.cpu().numpy(), strategy)
    if start is not None:
        search.propose(start)
    search.search(kept=kept)
    return search


def is_pair_of_sums(head: OccamHead) -> bool:
    """Whether a head is of two classes, each with one weighted sum of features of its own."""
    layers, network = head.network.layout.layers, head.network
    return (
        head.loss == "cross_entropy"
        and network.groups == network.out_features == 2
        and len(layers) == len(layers[0]) == 1
        and not network.layout.skip
        and sum_places(layers[0][0]) == list(range(layers[0][0].num_constants))
    )


def evolve_pair(
    head: OccamHead,
    features: Tensor,
    targets: Tensor,
    strategy: Strategy | None = None,
    start: NDArray[np.int32] | None = None,
    kept: Kept = NOWHERE,
) -> Evolution:
    """As :func:`evolve_head`, for two sums (:func:`is_pair_of_sums`) that share the work.

    Of two classes' scores only the difference counts. Apart, both formulas would pick the same
    features; so one sum of as many terms as both have is fitted to the second class's
    probability, and each formula gets half of the terms.
    """
    network = head.network
    terms = network.layout.layers[0][0].arity
    pair = OccamHead(
        head.in_features, 1, [f"affine{2 * terms}"], constants=network.leaf_constants.tolist()
    )
    pair.set_standardisation(head.feature_mean, head.feature_scale)
    both, single = network.logits[0], pair.network.logits[0]
    if start is not None:
        # P-nodes of the first class, of the second, of the outputs, of which one is left.
        start = start[:, :-1]
    chances = targets[:, 1:] if targets.dim() > 1 else targets.float().unsqueeze(1)
    with torch.no_grad():
        single.copy_(both.reshape(single.shape))
        search = evolve_head(pair, features, chances, strategy, start, kept)
        both.copy_(single.reshape(both.shape))
    # The second class is chosen where its probability is above one half.
    (weights,) = pair.numbers
    offsets = torch.stack([0.5 - weights[0, 0], weights[0, 0] - 0.5]) / 2
    signed = weights[0, 1:].view(2, terms) * torch.tensor([[-1.0], [1.0]])
    head.set_numbers([torch.cat([offsets.unsqueeze(1), signed], dim=1)])
    return search


@one_thread()
def fit_head_by_evolution(
    data: Any,
    *,
    max_features: Size = "auto",
    screen: int = 512,
    restarts: int = 4,
    steps: int = 300,
    seed: int = 0,
    distil: bool = True,
    loss: str = "cross_entropy",
    bases: Any = None,
    head: Mapping[str, Any] | None = None,
    class_weight: ClassWeight = None,
    sample_weight: Any = None,
    select: str = "loss",
    fitness: str = "error",
    strategy: Mapping[str, Any] | None = None,
    prior: float = 3.0,
    start: OccamHead | None = None,
    trainer: Mapping[str, Any] | None = None,
    checkpoint: str | Path | None = None,
) -> Fit:
    """Fit a head on features by the evolutionary strategy instead of backprop.

    The course is that of :func:`occamhead.training.fit.fit_head`, with searches in the place of
    soft networks, and half as many after the vote as before it. A search fits each output's formula
    to the output's probability, or number, by least squares; for weighted sums of features that is
    linear, and costs some microseconds a formula whatever the number of rows. Then the formula's
    numbers are fitted anew by the loss. Two classes with a weighted sum each share their search
    (:func:`evolve_pair`).

    Args:
        data, loss, bases, head, class_weight, sample_weight, select: See
            :func:`occamhead.training.fit.fit_head`. A search cannot weigh rows, so it sees each as
            often as its weight says (:func:`occamhead.rows.weights.repeats`).
        max_features: Most features that the formulas may use in all; "auto" takes as few as
            :func:`occamhead.fit_path` does by itself, or as many as the start reads
            (:func:`occamhead.training.path.size_for`), None skips the vote.
        screen: Features that the searches see: those whose class means differ most.
        restarts: Searches before the vote.
        steps: Steps of each search.
        seed: Seed of the searches.
        distil: Fit the class probabilities of a dense head rather than the labels.
        fitness: What samples are ranked by, see :class:`Strategy`; the answer of a search is its
            formula of least error whatever it was.
        strategy: Further settings of :class:`Strategy`.
        prior: See :meth:`OccamHead.initialise`.
        start: A head over all features, as backprop leaves it, in place of `bases` and `head`. The
            searches of the last rounds see its features and start from its formula, which is one of
            those to choose from.
        trainer: Arguments of the ``Trainer`` that writes the checkpoint.
        checkpoint: See :func:`~occamhead.training.fit.fit_head`.

    Returns:
        As :func:`~occamhead.training.fit.fit_head` returns; its `module` holds the head, and was
        not trained. The head is left at the temperature at which backprop would end.

    Raises:
        ValueError: If a number is below 1, the data do not fit, or the start is of another loss.
        TypeError: If the data are of another kind.
    """
    check_size(max_features)
    check_counts(screen=screen, restarts=restarts, steps=steps)
    if start is not None and start.loss != loss:
        raise ValueError(f"the head to start from has the loss {start.loss!r}, not {loss!r}")
    if start is not None and bases is not None:
        raise ValueError("give either a head to start from, or the bases of one")
    options = dict(head or {}) if start is None else shape(start)
    names = options.get("classes")
    if start is not None and names is None:
        names = [str(label) for label in range(start.out_features)]
    ground = prepare(data, loss, class_weight, sample_weight, seed, classes=names)
    called = feature_names_of(options, ground.data)
    options = head_options(options, bases, loss, ground.data.class_names)
    asked = {"restarts": restarts, "distil": distil, "select": select, "screen": screen}
    asked |= {"steps": steps, "seed": seed, "size": max_features, "head": options}
    asked |= {"fitness": fitness, "strategy": strategy, "prior": prior}
    asked["start"] = None if start is None else start.formula().text()
    store = kept_fit(checkpoint, ground.data.arrays, ground.weight, asked)
    searches = _Searches(
        ground.classes,
        options,
        {"max_steps": steps, "fitness": fitness, **(strategy or {})},
        prior,
        1000 * seed,
        start,
        store,
    )
    first = None if start is None else copy.deepcopy(start).cpu().eval()
    half = max(1, restarts // 2)
    most = size_for(max_features, ground, distil=distil, seed=seed, select=select, start=first)
    settings = Settings(most, screen, restarts, half, distil, select, True, first)
    done = course(ground, searches, settings)
    best = done.heads[done.best]
    if best is not first:
        best = best.widened(ground.data.num_features, done.columns)
    best.names, best.hints = called, ground.data.feature_hints
    finish(best, ground, done, settings, seed, (head or {}).get("digits"))
    module = as_module(best, ground.data, trainer)
    return Fit(
        module.head, done.dense, module, done.validation_accuracy, done.penalty, done.losses,
        rates=done.rates,
    )  # fmt: skip


@dataclass(frozen=True)
class _Searches:
    """Searches with settings in common.

    Args:
        num_classes: Number of classes.
        config: Arguments of the heads other than sizes.
        settings: Of the strategy.
        prior: See :meth:`OccamHead.initialise`.
        seed: Of the first search; each has one of its own, one after another.
        start: A head over all features to start from too, in all rounds but the trial.
        kept: Where the searches are kept.
    """

    num_classes: int
    config: Mapping[str, Any]
    settings: Mapping[str, Any]
    prior: float
    seed: int
    start: OccamHead | None
    kept: Kept

    def __call__(self, given: Round) -> list[OccamHead]:
        (features, labels), targets = given.rows, given.targets
        if given.weight is not None:
            often = repeats(given.weight)
            features, labels, targets = features[often], labels[often], targets[often]
        start = None if given.stage == "trial" else self.start
        found = []
        for number in range(given.before, given.before + given.count):
            head = OccamHead(features.shape[1], self.num_classes, **self.config)
            head.initialise(features, labels, prior=self.prior)
            defaults = {
                "max_functions": None,
                "restarts": 0,
                # Twice what the features take, and room for what is made of them.
                "store_mb": 256 + 16e-6 * features.numel(),
            }
            strategy = Strategy(**{**defaults, **self.settings, "seed": self.seed + number})
            evolve = evolve_pair if is_pair_of_sums(head) else evolve_head
            route = None if start is None else route_among(start, given.columns)
            name = f"search {number}"
            if (done := self.kept.read(name)) is None:
                evolve(head, features, targets, strategy, route, self.kept.part(name))
                self.kept.write(name, head.state_dict())
            else:
                head.load_state_dict(done)
            head.network.set_temperature(END_TEMPERATURE)
            found.append(head.eval())
        return found


def route_among(head: OccamHead, columns: Sequence[int]) -> NDArray[np.int32]:
    """The most probable route of a head over all features, for one over some of them.

    Args:
        head: The head.
        columns: For each feature of the other head, the feature of this one.

    Returns:
        Edges, [1, P-nodes]; -1, which is to be drawn, for a feature not among the columns.
    """
    place = np.full(head.in_features, NONE)
    place[list(columns)] = np.arange(len(columns))
    routes, _ = head.network.most_probable()
    parts = []
    for layer, edges in enumerate(routes.edges):
        chosen = edges[0].flatten().cpu().numpy()
        if head.network.layout.num_leaf_sources(layer):
            to_feature = chosen < head.in_features
            others = chosen - head.in_features + len(columns)
            chosen = np.where(to_feature, place[np.where(to_feature, chosen, 0)], others)
        parts.append(chosen)
    return np.concatenate(parts).astype(np.int32)[None]
