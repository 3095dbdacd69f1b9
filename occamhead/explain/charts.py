"""Charts as inline SVG, in the colours of the page."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from occamhead.expression import Affine, Apply, Constant, Expression, Input, get_operator
from occamhead.expression.formats.markup import Markup, tag
from occamhead.expression.formats.walk import number_text


class Point(Protocol):
    """A formula on the curve of accuracy against size."""

    @property
    def formula(self) -> Expression: ...
    @property
    def features(self) -> int: ...
    @property
    def validation_accuracy(self) -> float: ...
    @property
    def operations(self) -> int: ...


def histogram(
    edges: NDArray[np.float64], shares: NDArray[np.float64], classes: Sequence[str], name: str
) -> Markup:
    """The distribution of a feature in each class: a row of bars each, as high as the others.

    Args:
        edges: Edges of the bins.
        shares: Share of the class's rows in each bin, [class, bin].
        classes: Name of each class.
        name: Name of the feature, for the description.
    """
    width, label = 300.0, 84.0
    tall = 40.0 if len(classes) <= 3 else 22.0
    step = (width - label) / shares.shape[1]
    parts = []
    for k, title in enumerate(classes):
        base = (k + 1) * (tall + 6)
        largest = float(shares[k].max()) or 1.0
        parts.append(_text(label - 6, base - 2, _short(title, 13), "end"))
        for i, share in enumerate(shares[k]):
            if share:
                height = max(1.0, tall * float(share) / largest)
                x, y = label + i * step, base - height
                parts.append(_bar(x, y, step - 1, height, "bar"))
        parts.append(_line(label, base, width, base, "axis"))
    bottom = len(classes) * (tall + 6)
    parts.append(_text(label, bottom + 13, _tick(float(edges[0])), "start"))
    parts.append(_text(width, bottom + 13, _tick(float(edges[-1])), "end"))
    means = (shares * (edges[:-1] + edges[1:]) / 2).sum(axis=1)
    said = "; ".join(f"{c} about {_tick(float(m))}" for c, m in zip(classes, means, strict=True))
    return _svg(width, bottom + 18, parts, f"Distribution of {name} per class, means: {said}")


def curve(points: Sequence[Point], chosen: int | None = None) -> Markup:
    """Validation accuracy against the number of features, on a logarithmic scale.

    Args:
        points: The formulas of the path.
        chosen: Number of features of the formula that the page is about, to be marked.
    """
    width, height, left, bottom = 520.0, 260.0, 52.0, 36.0
    ordered = sorted(points, key=lambda point: point.features)
    sizes = [math.log2(max(1, point.features)) for point in ordered]
    low = min(point.validation_accuracy for point in ordered)
    floor = math.floor(low * 20 - 1e-9) / 20
    most = max(sizes[-1], 1.0)

    def place(size: float, accuracy: float) -> tuple[float, float]:
        x = left + 14 + (width - left - 34) * size / most
        return x, 12 + (height - bottom - 12) * (1 - (accuracy - floor) / (1 - floor or 1.0))

    parts = []
    for accuracy in np.linspace(floor, 1.0, 5 if round((1 - floor) * 20) % 4 == 0 else 6):
        y = place(0, float(accuracy))[1]
        parts.append(_line(left, y, width, y, "grid"))
        parts.append(_text(left - 6, y + 4, f"{100 * accuracy:.3g} %", "end"))
    for power in range(math.ceil(most) + 1):
        x = place(power, 1.0)[0]
        if x <= width:
            parts.append(_text(x, height - bottom + 16, str(2**power), "middle"))
    parts.append(_text((left + width) / 2, height - 4, "features in all formulas", "middle"))
    places = [place(s, p.validation_accuracy) for s, p in zip(sizes, ordered, strict=True)]
    path = "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    parts.append(tag("path", d=path, class_="curve"))
    for point, (x, y) in zip(ordered, places, strict=True):
        here = point.features == chosen
        text = f"{point.features} features, {100 * point.validation_accuracy:.1f} %"
        circle = "dot chosen" if here else "dot"
        parts.append(
            tag("circle", tag("title", text), cx=f"{x:.1f}", cy=f"{y:.1f}", r=5 if here else 3.5,
                class_=circle)
        )  # fmt: skip
    first, last = ordered[0], ordered[-1]
    said = (
        f"Validation accuracy from {100 * first.validation_accuracy:.1f} % with {first.features}"
        f" to {100 * last.validation_accuracy:.1f} % with {last.features} features"
    )
    return _svg(width, height, parts, said)


def graph(expression: Expression, titles: Sequence[str]) -> Markup:
    """The formulas as a graph: features at the left, classes at the right.

    Edges into a sum are as wide as their coefficient is large, full where they add and dashed
    where they subtract.
    """
    nodes = expression.nodes
    depth: list[int] = []
    for node in nodes:
        depth.append(1 + max((depth[child] for child in node.children), default=-1))
    last = max(1, *(depth[output] for output in expression.outputs))
    read = {child for node in nodes for child in node.children}
    for output in expression.outputs:
        if nodes[output].children and output not in read:
            depth[output] = last
    rows = _rows(expression, depth)
    left, right, gap, line = 74.0, 112.0, 200.0 if last == 1 else 150.0, 18.0
    width = left + gap * last + right
    height = line * (max(rows) + 1) + 8

    def place(position: int) -> tuple[float, float]:
        return left + gap * depth[position], line * (rows[position] + 0.5) + 4

    edges, labels = [], []
    for position, node in enumerate(nodes):
        x1, y1 = place(position)
        terms = node.terms if isinstance(node, Affine) else [(1.0, c) for c in node.children]
        largest = max((abs(c) for c, _ in terms), default=1.0)
        for coefficient, child in terms:
            x0, y0 = place(child)
            middle = (x0 + x1) / 2
            shape = (
                f"M{x0:.1f} {y0:.1f} C{middle:.1f} {y0:.1f} {middle:.1f} {y1:.1f}"
                f" {x1 - 4:.1f} {y1:.1f}"
            )
            weight = 0.6 + 2.4 * abs(coefficient) / largest if isinstance(node, Affine) else 1.0
            kind = "adds" if coefficient > 0 else "takes"
            label = tag("title", f"{coefficient:g}") if isinstance(node, Affine) else ""
            edges.append(tag("path", label, d=shape, class_=kind, stroke_width=f"{weight:.2f}"))
        where, anchor = (x1 - 6, "end") if depth[position] == 0 else (x1, "middle")
        if position not in expression.outputs or not isinstance(node, (Affine, Constant, Input)):
            labels.append(_text(where, y1 + 4, _node_label(expression, position), anchor))
    ends = Counter(expression.outputs)
    for title, output in zip(titles, expression.outputs, strict=True):
        x, y = place(output)
        same = [k for k, other in enumerate(expression.outputs) if other == output]
        shift = 14.0 * same.index(titles.index(title)) if ends[output] > 1 else 0.0
        if not nodes[output].children:
            edges.append(_line(x, y, left + gap * last, y, "adds"))
        text = _short(title, 15)
        labels.append(_text(left + gap * last + 8, y + 4 + shift, text, "start", "output"))
    said = f"Graph of the formulas of {', '.join(titles)} over {len(expression.features)} features"
    return _svg(width, height, [*edges, *labels], said)


def _rows(expression: Expression, depth: Sequence[int]) -> list[float]:
    """A row per node: leaves one below the other in order of use, the others near theirs."""
    rows: dict[int, float] = {}
    for position, node in enumerate(expression.nodes):
        if not node.children:
            rows[position] = float(sum(depth[p] == 0 for p in rows))
    for column in sorted(set(depth) - {0}):
        members = [p for p in range(len(depth)) if depth[p] == column]
        children = {p: expression.nodes[p].children for p in members}
        wanted = {p: sum(rows[c] for c in children[p]) / len(children[p]) for p in members}
        step = max(1.0, sum(d == 0 for d in depth) / len(members))
        for rank, p in enumerate(sorted(members, key=wanted.__getitem__)):
            rows[p] = (rank + 0.5) * step - 0.5
    return [rows[position] for position in range(len(expression.nodes))]


def _node_label(expression: Expression, position: int) -> str:
    match expression.nodes[position]:
        case Input(index):
            return _short(expression.input_name(index), 10)
        case Constant(value):
            return number_text(value)
        case Affine():
            return "sum"
        case Apply(operator, _):
            return get_operator(operator).infix or operator
    raise AssertionError("unreachable")


def _svg(width: float, height: float, parts: Sequence[Markup], description: str) -> Markup:
    return tag(
        "svg", tag("title", description), *parts, viewBox=f"0 0 {width:g} {height:g}",
        width=f"{width:g}", height=f"{height:g}", role="img", aria_label=description,
    )  # fmt: skip


def _text(x: float, y: float, text: str, anchor: str, class_: str | None = None) -> Markup:
    return tag("text", text, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor, class_=class_)


def _bar(x: float, y: float, width: float, height: float, class_: str) -> Markup:
    return tag(
        "rect", x=f"{x:.1f}", y=f"{y:.1f}", width=f"{width:.1f}", height=f"{height:.1f}",
        class_=class_,
    )  # fmt: skip


def _line(x0: float, y0: float, x1: float, y1: float, class_: str) -> Markup:
    return tag(
        "line", x1=f"{x0:.1f}", y1=f"{y0:.1f}", x2=f"{x1:.1f}", y2=f"{y1:.1f}", class_=class_
    )


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _tick(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")
