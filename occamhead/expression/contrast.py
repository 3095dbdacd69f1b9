"""Scores of which only the differences count, without a number that is redundant."""

from __future__ import annotations

from occamhead.expression.graph import AnyGraph, GraphBuilder
from occamhead.expression.nodes import Affine, Constant, Input
from occamhead.expression.simplify import collect, simplify


def contrasted(scores: AnyGraph) -> AnyGraph:
    """Formulas with the same differences between them, simplified; softmax sees no others.

    Of two, the first becomes 0 and the second what it is above the first. Of more, if all are
    weighted sums of inputs, what all contain is taken from all: an input that all read has no term
    in the one whose coefficient lies nearest the mean of theirs, and one has no constant. Others
    are left as they are.
    """
    if len(scores) == 2:
        return simplify(difference(scores))
    simpler = simplify(scores)
    return simpler if len(scores) < 2 else _without_common(simpler)


def difference(scores: AnyGraph) -> AnyGraph:
    """Two scores as 0 and what the second is above the first; their parts stay as they are."""
    builder = GraphBuilder()
    first, second = builder.copy(scores, {i: builder.input(i) for i in scores.features})
    above = collect(builder, 0.0, [(1.0, second, 1), (-1.0, first, 1)])
    return scores.rebuilt(builder, [builder.constant(0.0), above])


def _without_common(scores: AnyGraph) -> AnyGraph:
    """Weighted sums less what all of them contain."""
    sums = [_sum(scores, output) for output in scores.outputs]
    read = [each for each in sums if each is not None]
    if len(read) < len(sums):
        return scores
    constant = _common([constant for constant, _ in read])
    common = {i: _common([terms.get(i, 0.0) for _, terms in read]) for i in scores.features}
    builder = GraphBuilder()
    inputs = {i: builder.input(i) for i in scores.features}
    outputs = [
        builder.affine(own - constant, [(c - common[i], inputs[i]) for i, c in terms.items()])
        for own, terms in read
    ]
    return scores.rebuilt(builder, outputs)


def _sum(scores: AnyGraph, output: int) -> tuple[float, dict[int, float]] | None:
    """The constant and the coefficient of each input; None of what is no weighted sum of inputs."""
    match scores.nodes[output]:
        case Constant(value):
            return value, {}
        case Input(index):
            return 0.0, {index: 1.0}
        case Affine(constant, terms):
            children = [(coefficient, scores.nodes[child]) for coefficient, child in terms]
            read = {leaf.index: c for c, leaf in children if isinstance(leaf, Input)}
            return (constant, read) if len(read) == len(terms) else None
    return None


def _common(numbers: list[float]) -> float:
    """The number nearest the mean, or 0 if that is one of them: then nothing is in all."""
    mean = sum(numbers) / len(numbers)
    return min(numbers, key=lambda number: abs(number - mean)) if all(numbers) else 0.0
