"""A formula as a picture: which one suits it, and matplotlib's drawing of it."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from pathlib import Path

from occamhead.checks import needs
from occamhead.expression.formats.graph_picture import graph_picture
from occamhead.expression.formats.picture import FONT, Picture, shortened
from occamhead.expression.formats.rule import rule_of, two_names
from occamhead.expression.formats.source import check_classes, one_line, output_names
from occamhead.expression.formats.weights_picture import pixels_picture, table_picture, weights_of
from occamhead.expression.graph import AnyGraph, Graph
from occamhead.expression.nodes import Affine, Constant

COLOURS = {"adds": "#2166ac", "takes": "#b2182b", "plain": "#555555"}
GROUNDS = {"input": "white", "node": "white", "output": "#fff3c4", "frame": "#f5f7f9"}
# Sums of more terms, of features that most classes read, are a table: lines would cross.
FOLLOWED = 60
MARGIN, INCH, POINT = 10.0, 96.0, 0.75


def picture_of(
    expression: AnyGraph,
    titles: Sequence[str] = (),
    deviations: Mapping[int, float] | None = None,
    shape: tuple[int, ...] | None = None,
) -> Picture:
    """The picture that suits a formula; see :func:`draw`."""
    check_classes(expression, titles)
    if shape is not None and _size(shape) != expression.num_inputs:
        raise ValueError(
            f"shape: a picture of {' x '.join(map(str, shape))} has {_size(shape)} numbers, the"
            f" formula {expression.num_inputs} inputs"
        )
    if deviations is not None and (unknown := set(expression.features) - set(deviations)):
        raise ValueError(f"deviations: input {min(unknown)} of the formula has none")
    rule = rule_of(expression)
    if rule is None:
        names = output_names(expression, titles)
        endings: list[list[str]] = [[shortened(name)] for name in names]
    else:
        (condition, is_second), score = rule.condition, rule.score
        names = [shortened(name) for name in two_names(titles)]
        if not expression.features:
            expression, endings = score, [[f"always {names[rule.threshold < 0]}"]]
        elif condition.nodes[-1] in score.nodes:  # true or false: there is no threshold
            endings = [[names[is_second], "if true,", f"otherwise {names[not is_second]}"]]
            expression = condition
        else:
            own, side, limit = weights_of(score), "above", rule.threshold
            if own and all(coefficient < 0 for coefficient in own[0].values()):
                score, side, limit = score.with_numbers(operator.neg), "below", -limit
            text = f"{limit:.4g}".replace("-", "−")
            endings = [[names[1], f"if the sum is {side} {text},", f"otherwise {names[0]}"]]
            expression = score
    weights = weights_of(expression)
    summed = [[*lines, *_shift(expression, k)] for k, lines in enumerate(endings)]
    if weights is not None and shape is not None:
        return pixels_picture(weights, summed, shape, deviations)
    terms = sum(map(len, weights or ()))
    shared = terms > 1.5 * len(expression.features)
    if weights is not None and len(weights) > 1 and shared and terms > FOLLOWED:
        return table_picture(expression, weights, summed, deviations)
    return graph_picture(expression, endings, deviations)


def _shift(expression: Graph, output: int) -> list[str]:
    """The constant of a score, where it is told by weights alone."""
    match expression.nodes[expression.outputs[output]]:
        case Affine(constant, _) | Constant(constant) if constant:
            return [f"{'−' if constant < 0 else '+'} {abs(constant):.4g}"]
    return []


def draw(
    expression: AnyGraph,
    path: str | Path,
    titles: Sequence[str] = (),
    deviations: Mapping[int, float] | None = None,
    shape: tuple[int, ...] | None = None,
) -> None:
    """Draw the formulas: inputs at the left, outputs at the right, or a map of pixels.

    Of two classes the one sum is drawn, and its threshold. Blue adds and red subtracts. Sums of
    pixels are maps, many sums of the same inputs a table, and all else is a graph, in which the
    edges into a sum are as wide as they count.

    Args:
        expression: The formulas.
        path: Picture file; the suffix chooses the format (.png, .svg, .pdf).
        titles: A name per output; by default y0, y1, ...
        deviations: The standard deviation of each input that is used, by its number. A term of a
            sum of inputs then counts as much as it usually moves the sum; without them, as its
            coefficient is large.
        shape: Of the picture whose pixels the inputs are, [height, width] or [height, width,
            channel].

    Raises:
        ImportError: If matplotlib is missing.
        ValueError: If there are titles, but not one per output, an input has no deviation, or the
            shape is not that of the inputs.
    """
    picture = picture_of(expression, titles, deviations, shape)
    with needs("matplotlib", "drawing"):
        from matplotlib.figure import Figure
        from matplotlib.patches import FancyBboxPatch, PathPatch, Rectangle
        from matplotlib.path import Path as Curve

    left, top, right, bottom = picture.bounds
    left, top, right, bottom = left - MARGIN, top - MARGIN, right + MARGIN, bottom + MARGIN
    figure = Figure(figsize=((right - left) / INCH, (bottom - top) / INCH))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(left, right), ylim=(bottom, top))
    axes.axis("off")
    for line in picture.lines:
        middle = (line.start[0] + line.bend[0]) / 2
        points = [line.start, (middle, line.start[1]), (middle, line.bend[1]), line.bend, line.end]
        codes = [Curve.MOVETO, Curve.CURVE4, Curve.CURVE4, Curve.CURVE4, Curve.LINETO]
        look = {"edgecolor": COLOURS[line.sign], "linewidth": line.width * POINT, "alpha": 0.7}
        axes.add_patch(PathPatch(Curve(points, codes), facecolor="none", zorder=1, **look))
    for box in picture.boxes:
        x0, y0, x1, y1 = box.bounds
        corner, size = (x0, y0), (x1 - x0, y1 - y0)
        if box.kind == "cell":
            colour, strength = COLOURS[box.sign], box.strength
            axes.add_patch(Rectangle(corner, *size, color=colour, alpha=strength, lw=0, zorder=2))
        elif box.kind == "frame":
            ground, edge = GROUNDS["frame"], COLOURS["plain"]
            axes.add_patch(Rectangle(corner, *size, facecolor=ground, edgecolor=edge, lw=0.5))
        else:
            style = "round,pad=0,rounding_size=4"
            ground, edge = GROUNDS[box.kind], COLOURS["plain"]
            axes.add_patch(
                FancyBboxPatch(corner, *size, style, facecolor=ground, edgecolor=edge, zorder=2)
            )
    for text in picture.texts:
        behind = {"facecolor": "white", "edgecolor": "none", "pad": 1.0} if text.backed else None
        axes.text(
            text.x, text.y, one_line(text.text), fontsize=FONT * POINT, zorder=3, parse_math=False,
            color="black" if text.sign == "plain" else COLOURS[text.sign], va="center",
            ha={"start": "left", "middle": "center", "end": "right"}[text.anchor],
            weight="bold" if text.strong else "normal", bbox=behind,
        )  # fmt: skip
    # What draws has no more than 65536 dots along a side.
    figure.savefig(path, dpi=min(1.5 * INCH, 60_000 / max(*figure.get_size_inches())))


def check_drawing() -> None:
    """Raise ImportError where nothing can be drawn: to be noticed before there is something to."""
    with needs("matplotlib", "drawing"):
        import matplotlib  # noqa: F401


def _size(shape: Sequence[int]) -> int:
    size = 1
    for side in shape:
        size *= side
    return size
