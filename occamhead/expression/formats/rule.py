"""Two scores of which the first is 0, as a rule: the second class where a sum is large enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

from occamhead.expression.formats.latex import to_latex, words_latex
from occamhead.expression.formats.source import check_classes, output_names
from occamhead.expression.formats.text import to_text
from occamhead.expression.graph import AnyGraph, Graph, GraphBuilder
from occamhead.expression.nodes import Affine, Apply, Constant, Node
from occamhead.expression.operators import CONDITION, get_operator


@dataclass(frozen=True)
class Rule(Generic[AnyGraph]):
    """The second of two classes where a score is above a threshold, otherwise the first.

    What runs compares the score less the threshold with 0, which may differ in the last bit. A
    score that is NaN counts as above.

    Args:
        score: A formula of one output, without a constant of its own.
        threshold: What it must be above.
    """

    score: AnyGraph
    threshold: float

    @property
    def condition(self) -> tuple[AnyGraph, bool]:
        """A condition as a formula of one output, and whether it tells the second class.

        What is subtracted stands on the other side, so that weighted sums have no minus signs.
        """
        builder = GraphBuilder()
        (whole,) = builder.copy(self.score, {i: builder.input(i) for i in self.score.features})
        node = builder.nodes[whole]
        terms = node.terms if isinstance(node, Affine) else ((1.0, whole),)
        added = [(c, child) for c, child in terms if c > 0]
        subtracted = [(-c, child) for c, child in terms if c < 0]
        less, more = max(-self.threshold, 0.0), max(self.threshold, 0.0)
        if len(terms) == 1 and _is_condition(builder.nodes[terms[0][1]]):
            # 1 or 0, of which one is above the threshold: the condition itself says which.
            above = [value > self.threshold for value in (terms[0][0], 0.0)]
            if above[0] != above[1]:
                return self.score.rebuilt(builder, [terms[0][1]]), above[0]
        if added or not subtracted:
            sides = builder.affine(less, added), builder.affine(more, subtracted)
            return self.score.rebuilt(builder, [builder.apply("gt", *sides)]), True
        sides = builder.affine(more, subtracted), builder.constant(less)
        return self.score.rebuilt(builder, [builder.apply("lt", *sides)]), True

    def text(self, classes: Sequence[str] = ()) -> str:
        """``bees if 2*x857 > 3*x230 + 0.25, otherwise ants``.

        Args:
            classes: Names of the two; by default "class 0" and "class 1".

        Raises:
            ValueError: If there are names, but not two.
        """
        condition, is_second = self.condition
        names = two_names(classes)
        if isinstance(answer := condition.nodes[-1], Constant):
            return f"always {names[bool(answer.value)]}"
        return f"{names[is_second]} if {to_text(condition)[0]}, otherwise {names[not is_second]}"

    def latex(self, classes: Sequence[str] = ()) -> str:
        """LaTeX of the class as two cases, without delimiters; see :meth:`text`."""
        condition, is_second = self.condition
        names = [words_latex(name) for name in two_names(classes)]
        if isinstance(answer := condition.nodes[-1], Constant):
            return names[bool(answer.value)]
        first = rf"{names[is_second]} & \text{{if }} {to_latex(condition)[0]} \\"
        second = rf"{names[not is_second]} & \text{{otherwise}}"
        return rf"\begin{{cases}} {first} {second} \end{{cases}}"


def rule_of(expression: AnyGraph) -> Rule[AnyGraph] | None:
    """The rule that two scores are, of which the first is the constant 0; of others None."""
    if len(expression) != 2 or expression.nodes[expression.outputs[0]] != Constant(0.0):
        return None
    builder = GraphBuilder()
    inputs = {i: builder.input(i) for i in expression.features}
    score, threshold = builder.copy(expression, inputs)[1], 0.0
    match builder.nodes[score]:
        case Constant(value):
            score, threshold = builder.constant(0.0), -value
        case Affine(constant, terms):
            score, threshold = builder.affine(0.0, terms), -constant
    return Rule(expression.rebuilt(builder, [score]), threshold + 0.0)


def to_rules(expression: Graph, classes: Sequence[str] = ()) -> list[str]:
    """What a person reads: the rule of two classes, or what each output is.

    Args:
        expression: The formulas.
        classes: A name per output; by default y0, y1, ...

    Raises:
        ValueError: If there are names, but not one per output.
    """
    check_classes(expression, classes)
    if (rule := rule_of(expression)) is not None:
        return [rule.text(classes)]
    names = output_names(expression, classes)
    return [f"{name} = {text}" for name, text in zip(names, to_text(expression), strict=True)]


def _is_condition(node: Node) -> bool:
    return isinstance(node, Apply) and get_operator(node.operator).kind == CONDITION


def two_names(classes: Sequence[str]) -> Sequence[str]:
    """Names of two classes: these, or "class 0" and "class 1"; ValueError if there are not two."""
    if classes and len(classes) != 2:
        raise ValueError(f"a rule tells two classes apart, got {len(classes)} names")
    return classes or ("class 0", "class 1")
