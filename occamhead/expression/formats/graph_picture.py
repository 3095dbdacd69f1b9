"""The graph of a formula laid out in columns: features at the left, classes at the right."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from occamhead.expression.formats.picture import (
    LINE,
    Bounds,
    Box,
    Line,
    Picture,
    Sign,
    Text,
    shortened,
    widest,
)
from occamhead.expression.formats.walk import number_text
from occamhead.expression.graph import Graph
from occamhead.expression.nodes import Affine, Apply, Constant, Input, Node
from occamhead.expression.operators import get_operator

Kind: TypeAlias = Literal["input", "node", "output"]

PITCH = 26.0
"""Height that an edge has where it arrives, and a box of one line."""
CURVE = 64.0
"""Width in which edges run up and down."""
INSET, PADDING = 3.0, 8.0
THINNEST, THICKEST = 0.8, 7.0


@dataclass(eq=False)
class _Edge:
    """What arrives at a place, from another in the column before it."""

    start: _Place
    label: str = ""
    sign: Sign = "plain"
    size: float = 0.0


@dataclass(eq=False)
class _Place:
    """Where a node stands, or (without texts) an edge on its way through a column.

    Args:
        column: Which column, from the left.
        texts: The lines in its box.
        edges: What arrives, from top to bottom.
        free: Whether the edges may change places.
    """

    column: int
    texts: list[str] = field(default_factory=list)
    kind: Kind = "node"
    edges: list[_Edge] = field(default_factory=list)
    free: bool = True
    centre: float = 0.0

    @property
    def height(self) -> float:
        if not self.texts:
            return LINE / 2
        lines = LINE * len(self.texts) + PITCH - LINE
        return max(PITCH * len(self.edges), lines) + (PADDING if self.edges else 0.0)

    def port(self, number: int) -> float:
        """The height at which an edge arrives."""
        return self.centre + (number - (len(self.edges) - 1) / 2) * PITCH


def graph_picture(
    expression: Graph,
    endings: Sequence[Sequence[str]],
    deviations: Mapping[int, float] | None = None,
) -> Picture:
    """Lay a formula out in columns.

    Every edge arrives at a height of its own, where its coefficient stands, and where it passes a
    column there is room for it. What adds stands above what subtracts.

    Args:
        expression: The formulas.
        endings: For each output the lines in its box.
        deviations: The standard deviations of the inputs that are used. The edges of a weighted sum
            of inputs are then as wide as what they usually move it by, else as their coefficients
            are large.
    """
    columns = _ordered(_places(expression, endings, deviations))
    _set_heights(columns)
    used = len(expression.features)
    names = ", ".join(lines[0] for lines in endings)
    return _drawn(columns, Picture(f"{names}: graph over {used} feature{'s' * (used != 1)}"))


# --- what stands where ----------------------------------------------------------------------------


def _places(
    expression: Graph,
    endings: Sequence[Sequence[str]],
    deviations: Mapping[int, float] | None,
) -> list[_Place]:
    """A place for each node, each output and each column that an edge passes."""
    nodes, outputs = expression.nodes, expression.outputs
    depth: list[int] = []
    for node in nodes:
        depth.append(1 + max((depth[child] for child in node.children), default=-1))
    read = {child for node in nodes for child in node.children}
    # An output's box is that of its node, unless this is read elsewhere or is no operation.
    own = {
        output: k
        for k, output in enumerate(outputs)
        if nodes[output].children and output not in read and outputs.count(output) == 1
    }
    last = max(depth) if len(own) == len(outputs) else 1 + max(depth)
    places = [
        _Place(
            last if position in own else depth[position],
            _texts(expression, position, endings[own[position]] if position in own else ()),
            _kind(nodes[position], position in own),
        )
        for position in range(len(nodes))
    ]
    passing: dict[tuple[int, int], _Place] = {}

    def edge(node: int, column: int, *look: Any) -> _Edge:
        """An edge from a node, by way of a place in each column between."""
        at = places[node]
        for passed in range(at.column + 1, column):
            if (node, passed) not in passing:
                passing[node, passed] = _Place(passed, edges=[_Edge(at)])
            at = passing[node, passed]
        return _Edge(at, *look)

    for position, node in enumerate(nodes):
        column = places[position].column
        places[position].edges = [
            edge(child, column, *look) for child, *look in _looks(expression, node, deviations)
        ]
        ordered = isinstance(node, Apply) and not get_operator(node.operator).commutative
        places[position].free = not ordered
    ends = []
    for k, output in enumerate(outputs):
        if output not in own:
            ends.append(_Place(last, list(endings[k]), "output", [edge(output, last)]))
    places += ends
    # What passes on the way to one user looks as it will where it arrives.
    for place in sorted(passing.values(), key=lambda place: -place.column):
        users = [e for user in (*places, *passing.values()) for e in user.edges if e.start is place]
        if len(users) == 1:
            place.edges[0].sign, place.edges[0].size = users[0].sign, users[0].size
    return [*places, *passing.values()]


def _kind(node: Node, is_output: bool) -> Kind:
    if is_output:
        return "output"
    return "input" if isinstance(node, Input) else "node"


def _texts(expression: Graph, position: int, ending: Sequence[str]) -> list[str]:
    """The lines in a node's box; one that says what is done with a sum need not say "sum"."""
    label = _label(expression, position)
    return [*ending, *([] if len(ending) > 1 and label == "sum" else [label])]


def _label(expression: Graph, position: int) -> str:
    match expression.nodes[position]:
        case Input(index):
            return shortened(expression.input_name(index))
        case Constant(value):
            return number_text(value)
        case Affine(constant, terms):
            return _sum_label(constant, len(terms))
        case Apply(operator, _):
            return get_operator(operator).infix or operator
    raise AssertionError("unreachable")


def _sum_label(constant: float, terms: int) -> str:
    start = "sum" if terms > 1 else "" if constant else "×"
    shift = f"{'−' if constant < 0 else '+'} {abs(constant):.4g}" if constant else ""
    return " ".join(filter(None, (start, shift)))


def _looks(
    expression: Graph, node: Node, deviations: Mapping[int, float] | None
) -> list[tuple[Any, ...]]:
    """For each edge into a node where it starts, its label, its sign and its size."""
    if isinstance(node, Affine):
        children = [expression.nodes[child] for _, child in node.terms]
        sizes = [abs(coefficient) for coefficient, _ in node.terms]
        if deviations is not None and all(isinstance(child, Input) for child in children):
            sizes = [
                size * deviations[child.index]
                for size, child in zip(sizes, children, strict=True)
                if isinstance(child, Input)
            ]
        largest = max(sizes) or 1.0
        return [
            (child, _number(c), "adds" if c > 0 else "takes", size / largest)
            for (c, child), size in zip(node.terms, sizes, strict=True)
        ]
    if not isinstance(node, Apply):
        return []
    ordered = not get_operator(node.operator).commutative and len(node.children) > 1
    return [(child, str(k + 1) if ordered else "") for k, child in enumerate(node.children)]


def _number(value: float) -> str:
    return f"{value:.4g}".replace("-", "−")


# --- in which order, and how high -----------------------------------------------------------------


def _ordered(places: list[_Place]) -> list[list[_Place]]:
    """The places of each column, from top to bottom, so that few edges cross."""
    for place in places:
        if place.free:
            # What adds most first, what subtracts most last.
            place.edges.sort(key=lambda e: -e.size if e.sign != "takes" else e.size)
    columns: list[list[_Place]] = [[] for _ in range(1 + max(p.column for p in places))]
    for place in places:
        columns[place.column].append(place)
    for column, after in reversed(list(itertools.pairwise(columns))):
        seen: dict[_Place, list[float]] = {place: [] for place in column}
        for rank, user in enumerate(after):
            for k, edge in enumerate(user.edges):
                seen[edge.start].append(rank + (k + 0.5) / len(user.edges))
        column.sort(key=lambda place: sum(seen[place]) / len(seen[place]))
    rank_of = {place: rank for column in columns for rank, place in enumerate(column)}
    for place in places:
        if place.free:
            place.edges.sort(key=lambda e: rank_of[e.start])
    return columns


def _set_heights(columns: Sequence[Sequence[_Place]]) -> None:
    """Let each place stand where its edges arrive, or as near as its neighbours allow."""
    bottom = 0.0
    for place in columns[-1]:
        place.centre = bottom + place.height / 2
        bottom += place.height
    for column, after in reversed(list(itertools.pairwise(columns))):
        arrivals: dict[_Place, list[float]] = {place: [] for place in column}
        for user in after:
            for k, edge in enumerate(user.edges):
                arrivals[edge.start].append(user.port(k))
        wanted = [sum(arrivals[place]) / len(arrivals[place]) for place in column]
        heights = [place.height for place in column]
        for place, centre in zip(column, _apart(wanted, heights), strict=True):
            place.centre = centre


def _apart(wanted: Sequence[float], heights: Sequence[float]) -> list[float]:
    """The centres nearest to those wanted, by least squares, at which nothing overlaps.

    By pooling neighbours that come too near (isotonic regression, Barlow et al. 1972).
    """
    steps = [(a + b) / 2 for a, b in itertools.pairwise(heights)]
    offsets = [0.0, *itertools.accumulate(steps)]
    pools: list[tuple[float, int]] = []  # mean of what is wanted beyond the offset, and how many
    for centre, offset in zip(wanted, offsets, strict=True):
        mean, count = centre - offset, 1
        while pools and pools[-1][0] >= mean:
            before, members = pools.pop()
            mean, count = (before * members + mean * count) / (members + count), members + count
        pools.append((mean, count))
    found = [mean for mean, count in pools for _ in range(count)]
    return [mean + offset for mean, offset in zip(found, offsets, strict=True)]


# --- boxes, lines and texts -----------------------------------------------------------------------


def _drawn(columns: Sequence[Sequence[_Place]], picture: Picture) -> Picture:
    left, right_of = 0.0, {}
    for number, column in enumerate(columns):
        labels = widest(edge.label for place in column for edge in place.edges)
        zone = labels + 2 * PADDING if labels else 0.0
        left += (CURVE + zone) * (number > 0)
        right = left + max(_width(place) for place in column)
        for place in column:
            # Features end alike, so that their lines start alike.
            start = right - _width(place) if place.kind == "input" else left
            end = right if place.texts else start
            right_of[place] = right
            for k, edge in enumerate(place.edges):
                y = place.port(k)
                begin = right_of[edge.start], edge.start.centre
                bend, width = (left - zone, y), _thickness(edge)
                picture.lines.append(Line(begin, bend, (start, y), width, edge.sign))
                if edge.label:
                    label = Text(start - PADDING, y, edge.label, "end", edge.sign, backed=True)
                    picture.texts.append(label)
            if not place.texts:
                (edge,), on = place.edges, (right, place.centre)
                width = _thickness(edge)
                picture.lines.append(Line((left, place.centre), on, on, width, edge.sign))
                continue
            top, bottom = place.centre - place.height / 2, place.centre + place.height / 2
            inset = INSET + (PADDING / 2 if place.edges else 0.0)
            bounds = Bounds(start, top + inset, end, bottom - inset)
            picture.boxes.append(Box(bounds, place.kind))
            for k, text in enumerate(place.texts):
                y = place.centre + (k - (len(place.texts) - 1) / 2) * LINE
                strong = place.kind == "output" and k == 0
                picture.texts.append(Text((start + end) / 2, y, text, strong=strong))
        left = right
    return picture


def _thickness(edge: _Edge) -> float:
    return THINNEST + (THICKEST - THINNEST) * edge.size


def _width(place: _Place) -> float:
    strong = place.kind == "output"
    return widest(place.texts, strong) + 2 * PADDING if place.texts else 0.0
