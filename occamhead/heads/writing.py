"""Write known weights into an :class:`OccamHead`, whose formula they then are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from occamhead.heads.occam import OccamHead
from occamhead.rows.objective import Rows

# Functions of a feature that sums may add up: a basis of one constant, and the constant.
SHAPES = {"sqrt": ("pow_constant", 0.5)}


@dataclass(frozen=True)
class Sums:
    """Each class's score is a weighted sum of features, or of a function of each.

    Args:
        weight: [classes, features], zero where a class does not read a feature.
        bias: [classes].
        shape: The function, one of :data:`SHAPES`; None for the features.
    """

    weight: Tensor
    bias: Tensor
    shape: str | None = None


@dataclass(frozen=True)
class Blocks:
    """Each class's score is a weighted sum of nodes of its own: functions of sums of features.

    Args:
        weight: [classes, nodes, features], zero where a node does not read a feature.
        offset: [classes, nodes].
        outer: Weight of each node in the score, [classes, nodes].
        bias: [classes].
        family: Name of the nodes' bases without the number of terms, such as "hinge_affine".
    """

    weight: Tensor
    offset: Tensor
    outer: Tensor
    bias: Tensor
    family: str


@torch.no_grad()
def write_head(
    scores: Sums | Blocks,
    standardisation: Rows,
    digits: int = 4,
    class_names: Sequence[str] | None = None,
) -> OccamHead:
    """A head whose formula is the given one, in eval mode.

    The soft network sees, for each class, the features that its formula reads.

    Args:
        scores: Weights on standardised features.
        standardisation: Mean and scale of each feature, or of its function where sums have a shape.
        digits: See :class:`OccamHead`.
        class_names: A name per output, if any.
    """
    if isinstance(scores, Sums) and scores.shape is not None:
        # A function of a feature is one of the raw feature: its standardisation goes into the sum.
        (mean, scale), shape = standardisation, scores.shape
        scores = Sums(scores.weight / scale, scores.bias - scores.weight @ (mean / scale), shape)
        standardisation = torch.zeros_like(mean), torch.ones_like(scale)
    nodes = scores.weight.unsqueeze(1) if isinstance(scores, Sums) else scores.weight
    classes, count, features = nodes.shape
    used = (nodes != 0).any(dim=1)
    # All rows of candidates are equally long: a class that reads fewer features is shown others.
    candidates = used.float().topk(max(1, int(used.sum(dim=1).max())), dim=1).indices.sort().values
    seen = nodes.gather(2, candidates.unsqueeze(1).expand(-1, count, -1))
    terms = max(1, int((seen != 0).sum(dim=2).max()))
    # The largest weights come first; a node of fewer terms has zeros after them.
    edges = seen.abs().topk(terms, dim=2).indices
    weights = seen.gather(2, edges)
    paths = [edges.flatten(1)]
    if isinstance(scores, Blocks):
        bases = [[f"{scores.family}{terms}"] * count, [f"affine{count}"]]
        outer = torch.cat([scores.bias.unsqueeze(1), scores.outer], dim=1)
        constants = [torch.cat([scores.offset.unsqueeze(2), weights], dim=2), outer]
        paths.append(torch.arange(count).expand(classes, -1))
    else:
        bases = [[f"affine{terms}"]]
        constants = [torch.cat([scores.bias.view(-1, 1, 1), weights], dim=2)]
        if scores.shape is not None:
            basis, number = SHAPES[scores.shape]
            bases.insert(0, [basis] * terms)
            constants.insert(0, torch.full((classes, terms), number))
            paths.append(torch.arange(terms).expand(classes, -1))
    paths.append(torch.zeros(classes, 1, dtype=torch.long))
    head = OccamHead(
        features,
        classes,
        bases,
        candidates=candidates,
        temperature=1.0,
        noise=0.0,
        digits=digits,
        classes=class_names,
    )
    head.set_standardisation(*standardisation)
    head.set_numbers([constant.flatten(1) for constant in constants])
    head.choose_edges(paths)
    return head.eval()
