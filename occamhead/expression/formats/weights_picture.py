"""Weighted sums as pictures without lines: maps of pixels, and a table of many classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from occamhead.expression.formats.picture import (
    LINE,
    Bounds,
    Box,
    Picture,
    Sign,
    Text,
    shortened,
    widest,
)
from occamhead.expression.graph import Graph
from occamhead.expression.nodes import Affine, Constant, Input

SIDE, SPACE = 196.0, 28.0
"""Pixels of the side of a map, and between two."""
ROW, PADDING = 22.0, 8.0
ACROSS = 5
FAINTEST = 0.12


def weights_of(expression: Graph) -> list[dict[int, float]] | None:
    """For each output the coefficient of each input; None unless all are sums of inputs."""
    nodes = expression.nodes
    found: list[dict[int, float]] = []
    for output in expression.outputs:
        match nodes[output]:
            case Constant():
                found.append({})
            case Input(index):
                found.append({index: 1.0})
            case Affine(_, terms):
                leaves = [(nodes[child], c) for c, child in terms]
                if not all(isinstance(leaf, Input) for leaf, _ in leaves):
                    return None
                found.append({leaf.index: c for leaf, c in leaves if isinstance(leaf, Input)})
            case _:
                return None
    return found


def pixels_picture(
    weights: Sequence[Mapping[int, float]],
    endings: Sequence[Sequence[str]],
    shape: tuple[int, ...],
    deviations: Mapping[int, float] | None = None,
) -> Picture:
    """A map of the picture for each sum, each pixel as dark as its coefficient is large.

    Args:
        weights: For each sum the coefficient of each input: pixel i, or its channels in turn.
        endings: For each sum the lines below its map.
        shape: [height, width] or [height, width, channel]; a map for each channel.
        deviations: The standard deviations of the inputs that are used: a pixel is then as dark as
            what it usually moves the sum by.
    """
    height, width, channels = (*shape, 1)[:3]
    cell = SIDE / max(height, width)
    channel_names = ("red", "green", "blue") if channels == 3 else [""] * channels
    picture = Picture(f"Maps of the weights of {height} × {width} pixels")
    top, left, count = 0.0, 0.0, 0
    across = channels if channels > 1 else min(ACROSS, len(weights))
    step = max(SIDE, widest(text for lines in endings for text in lines)) + SPACE
    deep = cell * height + LINE * (max(map(len, endings)) + (channels > 1)) + SPACE
    for own, lines in zip(weights, endings, strict=True):
        sizes = {i: abs(c) * (1.0 if deviations is None else deviations[i]) for i, c in own.items()}
        largest = max(sizes.values(), default=0.0) or 1.0
        for channel in range(channels):
            left, top = step * (count % across), deep * (count // across)
            count += 1
            frame = Bounds(left, top, left + cell * width, top + cell * height)
            picture.boxes.append(Box(frame, "frame"))
            for index, coefficient in own.items():
                if index % channels == channel:
                    row, column = divmod(index // channels, width)
                    corner = left + cell * column, top + cell * row
                    bounds = Bounds(*corner, corner[0] + cell, corner[1] + cell)
                    sign: Sign = "adds" if coefficient > 0 else "takes"
                    dark = FAINTEST + (1 - FAINTEST) * sizes[index] / largest
                    said = f"row {row}, column {column}: {coefficient:.4g}"
                    picture.boxes.append(Box(bounds, "cell", sign, dark, said))
            texts = [*lines, *([channel_names[channel]] if channels > 1 else [])]
            for k, text in enumerate(texts):
                y = frame.bottom + LINE * (k + 0.75)
                picture.texts.append(Text(left, y, text, "start", strong=k == 0))
    return picture


def table_picture(
    expression: Graph,
    weights: Sequence[Mapping[int, float]],
    endings: Sequence[Sequence[str]],
    deviations: Mapping[int, float] | None = None,
) -> Picture:
    """A line for each input, a column for each sum; the ground is as dark as a coefficient counts.

    Args:
        expression: The formulas.
        weights: For each sum the coefficient of each input that it reads.
        endings: For each sum the lines above its column.
        deviations: The standard deviations of the inputs that are used, which the ground goes by;
            None takes the coefficients alone.
    """
    size = {i: 1.0 if deviations is None else deviations[i] for i in expression.features}
    largest = max((abs(c) * size[i] for own in weights for i, c in own.items()), default=0.0) or 1.0
    total = {i: sum(abs(own.get(i, 0.0)) * size[i] for own in weights) for i in size}
    order = sorted(size, key=lambda i: -total[i])
    names = {i: shortened(expression.input_name(i)) for i in order}
    picture = Picture(f"Weights of {len(order)} features in {len(weights)} sums")
    left = widest(names.values()) + PADDING
    top = LINE * max(map(len, endings)) + PADDING
    for row, i in enumerate(order):
        picture.texts.append(Text(left - PADDING, top + ROW * (row + 0.5), names[i], "end"))
    for own, lines in zip(weights, endings, strict=True):
        cells = {i: f"{c:.3g}".replace("-", "−") for i, c in own.items()}
        width = max(widest(cells.values()), widest(lines, strong=True)) + 2 * PADDING
        for k, text in enumerate(lines):
            y = LINE * (k + 0.5)
            picture.texts.append(Text(left + width / 2, y, text, strong=k == 0))
        for row, i in enumerate(order):
            y = top + ROW * row
            bounds = Bounds(left + 1, y + 1, left + width - 1, y + ROW - 1)
            coefficient = own.get(i, 0.0)
            if coefficient:
                sign: Sign = "adds" if coefficient > 0 else "takes"
                dark = abs(coefficient) * size[i] / largest
                picture.boxes.append(Box(bounds, "cell", sign, FAINTEST / 2 + dark / 2))
                picture.texts.append(Text(left + width / 2, y + ROW / 2, cells[i]))
        left += width
    return picture
