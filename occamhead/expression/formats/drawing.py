"""The DAG of a formula as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from occamhead.expression.formats.rule import rule_of
from occamhead.expression.formats.walk import number_text
from occamhead.expression.graph import AnyGraph, Graph
from occamhead.expression.nodes import Affine, Apply, Constant, Input
from occamhead.expression.operators import get_operator

POSITIVE, NEGATIVE, NEUTRAL = "#2166ac", "#b2182b", "#555555"


def draw(expression: AnyGraph, path: str | Path, titles: Sequence[str] = ()) -> None:
    """Draw the formulas, inputs at the left, outputs at the right.

    The edges into a sum carry their coefficients: blue adds, red subtracts, and the width grows
    with the size of the coefficient relative to the largest of its sum.

    Of two classes the sum that tells the second is drawn, and not the score 0 of the first.

    Args:
        expression: The formulas.
        path: Picture file; the suffix chooses the format (.png, .svg, .pdf).
        titles: A name per output; by default y0, y1, ...

    Raises:
        ImportError: If matplotlib is missing.
        ValueError: If there are titles, but not one per output.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("drawing needs matplotlib: pip install 'occamhead[recipes]'") from error
    if titles and len(titles) != len(expression):
        raise ValueError(f"{len(expression)} outputs need as many titles, got {len(titles)}")
    titles = titles or [f"y{k}" for k in range(len(expression))]
    if rule_of(expression) is not None:
        expression, titles = expression[1], titles[1:]  # the other is 0

    places = _layout(expression)
    width = 2.2 * (max(x for x, _ in places) + 2)
    height = max(2.4, 0.34 * (1 + max(y for _, y in places)))
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.axis("off")

    def edge(start: int, end: int, label: str, colour: str, thickness: float) -> None:
        (x0, y0), (x1, y1) = places[start], places[end]
        axes.plot([x0, x1], [y0, y1], color=colour, linewidth=thickness, zorder=1, alpha=0.75)
        if label:
            near = 0.22  # beside the start, where the edges into one sum are still apart
            axes.text(
                x0 + near * (x1 - x0),
                y0 + near * (y1 - y0),
                label,
                fontsize=7,
                color=colour,
                ha="center",
                va="center",
                zorder=3,
                bbox={"boxstyle": "square,pad=0.08", "facecolor": "white", "edgecolor": "none"},
            )

    for position, node in enumerate(expression.nodes):
        match node:
            case Affine(_, terms):
                largest = max(abs(c) for c, _ in terms)
                for c, child in terms:
                    colour = POSITIVE if c > 0 else NEGATIVE
                    label = "" if c == 1 else f"{c:.3g}"
                    edge(child, position, label, colour, 0.5 + 2.5 * abs(c) / largest)
            case Apply(operator, children):
                ordered = not get_operator(operator).commutative and len(children) > 1
                for place, child in enumerate(children):
                    edge(child, position, str(place + 1) if ordered else "", NEUTRAL, 1.0)
    box = {"boxstyle": "round,pad=0.35", "facecolor": "white", "edgecolor": NEUTRAL}
    for position, (x, y) in enumerate(places):
        label = _label(expression, position)
        axes.text(x, y, label, ha="center", va="center", fontsize=9, bbox=box, zorder=4)
    for k, output in enumerate(expression.outputs):
        x, y = places[output]
        column = max(place[0] for place in places) + 0.8
        axes.plot([x, column], [y, y], color=NEUTRAL, linewidth=1.0, zorder=1)
        text = axes.text(column, y, titles[k], ha="center", va="center", fontsize=10, zorder=4)
        text.set_bbox({**box, "facecolor": "#fff3c4"})
    axes.set_xlim(-0.7, max(x for x, _ in places) + 1.5)
    axes.set_ylim(max(y for _, y in places) + 0.8, -0.8)
    figure.savefig(path, dpi=130)


def _label(expression: Graph, position: int) -> str:
    match expression.nodes[position]:
        case Input(index):
            return expression.input_name(index)
        case Constant(value):
            return number_text(value)
        case Affine(0, ((coefficient, _),)):
            return f"{coefficient:.4g} \u00d7"
        case Affine(constant, _):
            sign = "+" if constant > 0 else "-"
            return f"sum {sign} {abs(constant):.4g}" if constant else "sum"
        case Apply(operator, _):
            return get_operator(operator).infix or operator
    raise AssertionError("unreachable")


def _layout(expression: Graph) -> list[tuple[float, float]]:
    """A place per node: the column is the depth; a column's nodes stand in order of their users."""
    depth: list[int] = []
    for node in expression.nodes:
        depth.append(1 + max((depth[child] for child in node.children), default=-1))
    last = max(depth)
    for output in expression.outputs:
        if expression.nodes[output].children:
            depth[output] = last
    columns: dict[int, list[int]] = {}
    for position, column in enumerate(depth):
        columns.setdefault(column, []).append(position)
    users: dict[int, list[int]] = {}
    for position, node in enumerate(expression.nodes):
        for child in node.children:
            users.setdefault(child, []).append(position)
    tallest = max(len(members) for members in columns.values())
    places: dict[int, tuple[float, float]] = {}
    for column in sorted(columns, reverse=True):

        def height(position: int) -> float:
            """Mean height of the users that are placed already."""
            above = [places[user][1] for user in users.get(position, []) if user in places]
            return sum(above) / len(above) if above else 0.0

        members = sorted(columns[column], key=height)
        step = tallest / len(members)
        for rank, position in enumerate(members):
            places[position] = (float(column), (rank + 0.5) * step - 0.5)
    return [places[position] for position in range(len(expression.nodes))]
