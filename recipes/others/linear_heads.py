"""Linear heads to compare with: dense logistic regression, and L1 and elastic-net paths.

Every method is called with ``(train, validation, counts, seconds, seed)`` and gives :class:`Heads`:
for each count a head of at most that many features. Hyperparameters are chosen by the loss on
validation rows of a head that saw the training rows only, whose validation accuracy is reported;
the head itself is then fitted on both. No method sees the test rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from occamhead.rows.arrays import as_rows
from occamhead.rows.best_subsets import fit_weights
from occamhead.rows.dense import PENALTIES, choose_dense_head, fit_dense_head
from occamhead.rows.metrics import accuracy
from occamhead.rows.objective import Rows, standardisation
from recipes.others.l1_path import PathPoint, sparse_path
from recipes.shared.rows import Part, together


@dataclass(frozen=True)
class SparseHead:
    """A fitted head.

    Args:
        predict: Rows [rows, all features] to classes [rows].
        features: The features that it reads, sorted.
        validation_accuracy: That of the same kind of head fitted on the training rows alone.
    """

    predict: Callable[[np.ndarray], np.ndarray]
    features: tuple[int, ...]
    validation_accuracy: float


@dataclass
class Heads:
    """A head for each count of features, what they cost, and whether the time ran out.

    Args:
        seconds: Process CPU seconds of the whole method.
        cut: Whether the method stopped for lack of time, or overran it.
    """

    by_count: dict[int, SparseHead] = field(default_factory=dict)
    seconds: float = 0.0
    cut: bool = False


Method = Callable[[Part, Part, Sequence[int], float, int], Heads]


class Clock:
    """Process CPU seconds since it was made, against a budget."""

    def __init__(self, seconds: float) -> None:
        self.budget = seconds
        self.start = time.process_time()
        self.cut = False

    @property
    def spent(self) -> float:
        return time.process_time() - self.start

    def over(self, share: float = 1.0) -> bool:
        """Whether this share of the budget is spent; if so, the method counts as cut."""
        over = self.spent > share * self.budget
        self.cut |= over
        return over


def count_classes(train: Part) -> int:
    return int(train[1].max()) + 1


def linear_head(layer: nn.Linear, validation_accuracy: float) -> SparseHead:
    """A linear layer on raw features as a head; it reads those with a weight."""

    def predict(x: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            classes: np.ndarray = layer(torch.as_tensor(x.copy())).argmax(dim=1).numpy()
        return classes

    used = (layer.weight != 0).any(dim=0).nonzero().flatten().tolist()
    return SparseHead(predict, tuple(used), validation_accuracy)


# --- dense --------------------------------------------------------------------------------------


def dense(train: Part, validation: Part, counts: Sequence[int], seconds: float, seed: int) -> Heads:
    """Logistic regression on all features, whatever the counts; one head."""
    clock = Clock(seconds)
    rows, held_out = as_rows(train), as_rows(validation)
    num_classes = count_classes(train)
    chosen, penalty = choose_dense_head(rows, held_out, num_classes)
    final = fit_dense_head(as_rows(together(train, validation)), num_classes, penalty, chosen)
    head = linear_head(final, accuracy(chosen, held_out))
    return Heads({train[0].shape[1]: head}, clock.spent, clock.over())


# --- paths --------------------------------------------------------------------------------------

# Beside the penalties of the dense head: a few features need less.
RIDGES = (*PENALTIES, 1e-5)
# With more rows a path is followed on as many of them in coarser steps: which features it takes
# hardly changes. The weights are fitted to all rows, which then need little of a penalty.
MANY_ROWS = 12_000


def ridges(rows: Rows) -> tuple[float, ...]:
    """The penalties to try."""
    return RIDGES if len(rows[0]) <= MANY_ROWS else (1e-3, 1e-4, 1e-5)


def l1(
    train: Part,
    validation: Part,
    counts: Sequence[int],
    seconds: float,
    seed: int,
    per_class: bool = False,
) -> Heads:
    """The supports of the L1 path, their weights fitted anew under a ridge penalty."""
    return _path_heads(train, validation, counts, seconds, per_class, (1.0,), raw=False)


def elastic_net(
    train: Part,
    validation: Part,
    counts: Sequence[int],
    seconds: float,
    seed: int,
    per_class: bool = False,
) -> Heads:
    """Elastic-net paths, with the path's own weights or, where validation prefers it, new ones.

    Wong et al. (2021, arXiv 2105.04857) take a mixing of 0.99 and the path's own weights; that is
    the first of the candidates.
    """
    mixings = (0.99, 0.9, 0.7)
    return _path_heads(train, validation, counts, seconds, per_class, mixings, raw=True)


@dataclass(frozen=True)
class _Choice:
    """What validation chose for one count: the path, and a ridge penalty or the path's weights."""

    loss: float
    accuracy: float
    mixing: float
    ridge: float | None


def _path_heads(
    train: Part,
    validation: Part,
    counts: Sequence[int],
    seconds: float,
    per_class: bool,
    mixings: Sequence[float],
    raw: bool,
) -> Heads:
    clock, num_classes = Clock(seconds), count_classes(train)
    rows, held_out = as_rows(train), as_rows(validation)
    best: dict[int, _Choice] = {}
    for place, mixing in enumerate(mixings):
        # What is learnt here is fitted again on all rows, which takes as long.
        limit = 0.5 * (place + 1) / len(mixings)
        points = sparse_points(rows, num_classes, counts, mixing, per_class, clock, limit)
        for count, point in points.items():
            for ridge in (*((None,) if raw else ()), *ridges(rows)):
                layer = _layer(rows, point, num_classes, ridge)
                loss = F.cross_entropy(layer(held_out[0]), held_out[1]).item()
                if count not in best or loss < best[count].loss:
                    best[count] = _Choice(loss, accuracy(layer, held_out), mixing, ridge)
                if clock.over(limit):
                    break
        if clock.over(0.5):
            break
    rows = as_rows(together(train, validation))
    heads = Heads()
    for mixing in dict.fromkeys(choice.mixing for choice in best.values()):
        mine = [count for count in best if best[count].mixing == mixing]
        points = sparse_points(rows, num_classes, mine, mixing, per_class, clock, 1.0)
        for count, point in points.items():
            layer = _layer(rows, point, num_classes, best[count].ridge)
            heads.by_count[count] = linear_head(layer, best[count].accuracy)
    heads.seconds, heads.cut = clock.spent, clock.cut
    return heads


def sparse_points(
    rows: Rows,
    num_classes: int,
    counts: Iterable[int],
    mixing: float = 1.0,
    per_class: bool = False,
    clock: Clock | None = None,
    share: float = 1.0,
) -> dict[int, PathPoint]:
    """For each count the last solution of a path that uses no more features.

    Where the path jumps over a count, the largest weights of the first solution beyond serve.

    Args:
        rows: Raw features and labels; they are standardised here, and so are the solutions.
        num_classes: Number of classes.
        counts: Most features in all, or of each class.
        mixing: See :func:`sparse_path`.
        per_class: Follow every class by itself: its weights are those of the last solution in
            which it uses no more features, so that each class gets as many as it may.
        clock, share: Give up when this share of the time is spent.
    """
    x, y = rows
    mean, scale = standardisation(x)
    counts = sorted(counts)
    ratio, tolerance = 0.97, 5e-3
    if len(x) > MANY_ROWS:
        some = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))[:MANY_ROWS]
        x, y, ratio, tolerance = x[some], y[some], 0.88, 2e-2
    varied = int((x != x[0]).any(dim=0).sum())
    enough = min(counts[-1] + 1, varied)
    points: dict[int, PathPoint] = {}

    def sizes(weight: Tensor) -> Tensor:
        used = weight != 0
        return used.sum(dim=0) if per_class else used.any(dim=1).sum().view(1)

    path = sparse_path(
        (x - mean) / scale, y, num_classes, mixing=mixing, ratio=ratio, tolerance=tolerance
    )
    for point in path:
        size = sizes(point.weight)
        for count in counts:
            # A step of the path may bring two features where there is room for one.
            weight, bias = largest(point.weight, count, per_class), point.bias
            if count in points:
                before = points[count]
                later = (size <= count) | (sizes(before.weight) < count)
                weight = torch.where(later, weight, before.weight)
                bias = torch.where(later, bias, before.bias)
            points[count] = PathPoint(point.penalty, weight, bias)
        if (size >= enough).all():
            break
        if clock is not None and clock.over(share):
            break
    return points


def largest(weight: Tensor, count: int, per_class: bool) -> Tensor:
    """The weights of the `count` features with the largest ones, in all or of each class."""
    if count >= len(weight):
        return weight
    sizes = weight.abs() if per_class else weight.abs().amax(dim=1, keepdim=True)
    kept = torch.zeros_like(sizes).scatter(0, sizes.topk(count, dim=0).indices, 1.0)
    return weight * kept


def _layer(rows: Rows, point: PathPoint, num_classes: int, ridge: float | None) -> nn.Linear:
    """The solution as a layer on raw features, its weights fitted anew if a penalty is given."""
    mean, scale = standardisation(rows[0])
    weight, bias = point.weight, point.bias
    if num_classes == 2:
        # One score tells two classes apart: half of it against the one, half for the other.
        weight = torch.cat([-weight / 2, weight / 2], dim=1)
        bias = torch.cat([-bias / 2, bias / 2])
    if ridge is not None:
        columns = point.support.any(dim=1).nonzero().flatten()
        shown = (rows[0][:, columns] - mean[columns]) / scale[columns], rows[1]
        part, bias = fit_weights(shown, weight[columns], bias, ridge)
        weight = torch.zeros_like(weight).index_copy(0, columns, part)
    layer = nn.Linear(len(mean), num_classes).requires_grad_(False)
    layer.weight.copy_((weight / scale.unsqueeze(1)).T)
    layer.bias.copy_(bias - layer.weight @ mean)
    return layer
