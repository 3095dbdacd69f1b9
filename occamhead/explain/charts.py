"""Charts as inline SVG, in the colours of the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from occamhead.expression import Expression
from occamhead.expression.formats.markup import Markup, tag
from occamhead.expression.formats.picture import FONT, Bounds, Box, Line, Picture, Text

_MARGIN = 4.0


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


def drawn(picture: Picture) -> Markup:
    """A picture of a formula, in the colours of the page."""
    left, top, right, bottom = picture.bounds
    x, y = _MARGIN - left, _MARGIN - top
    parts = [
        *(_curve(line, x, y) for line in picture.lines),
        *(_box(box, x, y) for box in picture.boxes),
        *(_ground(text.bounds, x, y) for text in picture.texts if text.backed),
        *(
            _text(text.x + x, text.y + y + 0.34 * FONT, text.text, text.anchor, _classes(text))
            for text in picture.texts
        ),
    ]
    width, height = right - left + 2 * _MARGIN, bottom - top + 2 * _MARGIN
    # On a narrow screen it shrinks as far as that helps, and then scrolls: a table, which has no
    # lines, is there to be read number by number.
    least = 0.6 if picture.lines else 0.95
    return _svg(width, height, parts, picture.said, f"min-width: {least * width:.0f}px")


def _classes(text: Text) -> str:
    return " ".join(filter(None, ("word", text.sign, "strong" * text.strong)))


def _ground(bounds: Bounds, x: float, y: float) -> Markup:
    """The ground of the page under a text, over the line that passes there."""
    left, top, right, bottom = bounds
    return tag(
        "rect", x=f"{left + x - 2:.1f}", y=f"{top + y:.1f}", width=f"{right - left + 4:.1f}",
        height=f"{bottom - top:.1f}", class_="ground",
    )  # fmt: skip


def _curve(line: Line, x: float, y: float) -> Markup:
    (x0, y0), (x1, y1), end = line.start, line.bend, line.end[0]
    middle = (x0 + x1) / 2 + x
    shape = (
        f"M{x0 + x:.1f} {y0 + y:.1f} C{middle:.1f} {y0 + y:.1f} {middle:.1f} {y1 + y:.1f}"
        f" {x1 + x:.1f} {y1 + y:.1f} H{end + x:.1f}"
    )
    return tag("path", d=shape, class_=f"edge {line.sign}", stroke_width=f"{line.width:.2f}")


def _box(box: Box, x: float, y: float) -> Markup:
    left, top, right, bottom = box.bounds
    said = tag("title", box.said) if box.said else ""
    return tag(
        "rect", said, x=f"{left + x:.1f}", y=f"{top + y:.1f}", width=f"{right - left:.1f}",
        height=f"{bottom - top:.1f}", class_=f"{box.kind} {box.sign}",
        rx=None if box.kind in ("cell", "frame") else 4,
        fill_opacity=f"{box.strength:.2f}" if box.kind == "cell" else None,
    )  # fmt: skip


def _svg(
    width: float, height: float, parts: Sequence[Markup], description: str, style: str | None = None
) -> Markup:
    return tag(
        "svg", tag("title", description), *parts, viewBox=f"0 0 {width:g} {height:g}",
        width=f"{width:g}", height=f"{height:g}", role="img", aria_label=description, style=style,
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
