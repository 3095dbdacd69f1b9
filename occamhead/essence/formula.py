"""A circuit as an expression: its differentiae, its subconcepts and the score of each class."""

from __future__ import annotations

from collections.abc import Sequence

from occamhead.essence.circuit import NO_SUBCONCEPT, Circuit
from occamhead.expression import Expression, ExpressionBuilder


def class_scores(circuit: Circuit, names: Sequence[str] | None = None) -> Expression:
    """The scores of the network in ``eval()`` mode, one output per class.

    A class is that of the highest score, of equals the lowest; see
    :class:`occamhead.essence.EssenceNetwork`.

    Args:
        circuit: What is written.
        names: Names of the inputs; by default x0, x1, ...
    """
    builder = ExpressionBuilder()
    if circuit.default is None:
        true = differentiae(circuit, builder)
        subconcepts = [
            builder.affine(
                circuit.most_literals - sum(wanted for _, wanted in literals),
                [(1.0 if wanted else -1.0, true[d]) for d, wanted in literals],
            )
            for literals in circuit.literals
        ]
        empty = NO_SUBCONCEPT
    else:
        subconcepts, empty = conjunctions(circuit, builder), 0
    outputs = []
    for label in range(circuit.classes):
        score = of_class(circuit, label, subconcepts, builder, empty)
        if circuit.default is not None:
            is_default = label == circuit.default
            score = builder.affine(is_default, [(1.0 if is_default else 2.0, score)])
        outputs.append(score)
    return builder.build(outputs, circuit.inputs, names)


def differentiae(circuit: Circuit, builder: ExpressionBuilder) -> list[int]:
    """The half-spaces as comparisons of a sum with a number, 1 where they hold."""
    nodes = []
    for weights, bias in zip(circuit.weights.tolist(), circuit.bias.tolist(), strict=True):
        terms = [(float(w), builder.input(i)) for i, w in enumerate(weights) if w]
        if not terms:
            nodes.append(builder.constant(float(bias > 0)))
            continue
        # A sum of whole numbers is above -bias if it is above the whole number below it.
        is_whole = all(isinstance(w, int) for w in weights)
        threshold = builder.constant(-bias // 1 if is_whole else -bias)
        nodes.append(builder.apply("gt", builder.affine(0, terms), threshold))
    return nodes


def conjunctions(circuit: Circuit, builder: ExpressionBuilder) -> list[int]:
    """The subconcepts as minima of literals, 1 where they hold."""
    true = differentiae(circuit, builder)
    return [
        joined(
            builder,
            "min",
            [true[d] if wanted else builder.affine(1, [(-1, true[d])]) for d, wanted in literals],
            empty=1,
        )
        for literals in circuit.literals
    ]


def of_class(
    circuit: Circuit, label: int, subconcepts: Sequence[int], builder: ExpressionBuilder, empty: int
) -> int:
    """The highest of the subconcepts of a class, which is `empty` if it has none."""
    own = [s for s, c in zip(subconcepts, circuit.concepts, strict=True) if c == label]
    return joined(builder, "max", own, empty)


def joined(builder: ExpressionBuilder, operator: str, nodes: Sequence[int], empty: int) -> int:
    """An operator of many arguments over any number of nodes."""
    if not nodes:
        return builder.constant(empty)
    return builder.apply(operator, *nodes) if len(nodes) > 1 else nodes[0]
