"""Random expressions for hypothesis: DAGs with shared nodes, built through ExpressionBuilder."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from occamhead.expression import OPERATORS, Apply, Expression, ExpressionBuilder

ODD_NAMES = ("sin", "if", "petal length", "x 1", "a-b", "größe", "7up", "$p_1$", "max", "x7", "",
             "tab\there", "a, b)", "#", "\\alpha", "{", "~^", "'quote\"", "lambda")  # fmt: skip
ALL = tuple(OPERATORS)
# Operators whose results are exact, so that every evaluation must give the same bits.
EXACT = ("mul", "abs", "max", "min", "le", "lt", "ge", "gt", "eq", "ne", "xor", "where")
SMOOTH = ("sin", "cos", "tanh", "sigmoid", "mul", "max", "min", "abs")

any_number = st.one_of(
    st.integers(-3, 3).map(float),
    st.floats(-10, 10),
    st.floats(allow_nan=False, allow_infinity=False),
)
dyadic = st.integers(-16, 16).map(lambda n: n / 4)
small = st.floats(-2, 2).filter(lambda v: v == 0 or abs(v) > 1e-3)


@st.composite
def expressions(
    draw: st.DrawFn,
    operators: Sequence[str] = ALL,
    numbers: st.SearchStrategy[float] = any_number,
    max_steps: int = 10,
    odd_names: bool = False,
    all_nodes: bool = False,
) -> Expression:
    """An expression of one to four inputs; with `all_nodes` every node is an output."""
    width = draw(st.integers(1, 4))
    builder = ExpressionBuilder()
    nodes = [builder.input(draw(st.integers(0, width - 1)))]

    def earlier() -> int:
        return nodes[draw(st.integers(0, len(nodes) - 1))]

    for _ in range(draw(st.integers(0, max_steps))):
        kind = draw(st.sampled_from(["input", "constant", "affine", "apply", "apply"]))
        try:
            if kind == "input":
                nodes.append(builder.input(draw(st.integers(0, width - 1))))
            elif kind == "constant":
                nodes.append(builder.constant(draw(numbers)))
            elif kind == "affine":
                terms = [(draw(numbers), earlier()) for _ in range(draw(st.integers(1, 3)))]
                nodes.append(builder.affine(draw(numbers), terms))
            else:
                name = draw(st.sampled_from(operators))
                arity = OPERATORS[name].arity or draw(st.integers(2, 4))
                nodes.append(builder.apply(name, *(earlier() for _ in range(arity))))
        except ValueError:
            continue  # numbers so large that folding them would overflow
    names = None
    if odd_names:
        names = draw(st.lists(st.sampled_from(ODD_NAMES), min_size=width, max_size=width,
                              unique=True))  # fmt: skip
    if all_nodes:
        outputs = sorted(set(nodes))
    else:
        outputs = [nodes[-1], *(earlier() for _ in range(draw(st.integers(0, 3))))]
    return builder.build(outputs, width, names)


def used_operators(expression: Expression) -> set[str]:
    return {node.operator for node in expression.nodes if isinstance(node, Apply)}
