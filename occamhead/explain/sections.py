"""The report's sections on the formulas, their accuracy, and how they were made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from occamhead.explain.charts import Point, curve, drawn
from occamhead.explain.material import Material
from occamhead.explain.opening import between, said_interval, shown_formulas
from occamhead.explain.parts import folded, scrolled, table
from occamhead.explain.words import percent
from occamhead.expression import Expression
from occamhead.expression.formats.drawing import picture_of
from occamhead.expression.formats.markup import Markup, join, tag
from occamhead.expression.formats.rule import rule_of
from occamhead.heads.nec import nec_of
from occamhead.rows.arrays import as_rows
from occamhead.rows.metrics import ClassRates

# Features of a graph that is shown without being asked for.
SMALL_GRAPH = 16
# Operations of the formulas of several classes that are read as such; of more, a picture is shown.
MOST_READ = 150
# Lines of a graph that can still be followed by eye.
MOST_LINES = 400


def formulas_section(material: Material) -> list[Markup]:
    """The formulas as a graph, text and Python; those of many classes as mathematics too."""
    formula, classes = material.formula, material.classes
    text = "\n\n".join(formula.rule(classes))
    python = formula.python(f"The class of the highest score: {', '.join(classes)}", classes)
    first: list[Markup] = []
    few, said = not material.many, "As Python, to copy into a file"
    plain = folded("As plain text", _source(text, "The formulas as text"), printed=few)
    code = folded(said, _source(python, "The formulas as Python"), printed=few)
    if material.many:
        return [plain, code]
    long = formula.operations > MOST_READ
    if rule_of(formula) is None:
        wins = tag("p", "The class with the highest score wins.", class_="small")
        shown = shown_formulas(material)
        first = [wins, folded("As mathematics", shown)] if long else [shown, wins]
    small = len(formula.features) <= SMALL_GRAPH
    return [
        *first,
        folded("As a graph", *_graph(material), opened=small or (long and len(first) > 0)),
        plain,
        code,
    ]


def accuracy_section(
    material: Material,
    paper: tuple[float, str] | None,
    points: Sequence[Point],
    confusions: Sequence[Markup] | None = None,
) -> list[Markup]:
    """The formulas beside other classifiers, what other sizes reach, and the confusions.

    Args:
        material: What the page is about.
        paper: An accuracy to compare with, and where it stands.
        points: Formulas of several sizes.
        confusions: What to say of the confusions; None shows a grid of them.
    """
    parts = [_comparison(material, paper)]
    if points:
        parts += _sizes(material, points)
    shown = _confusion(material) if confusions is None else confusions
    return [*parts, tag("h3", "Confusions"), *shown]


def made_section(material: Material, facts: Mapping[str, str]) -> list[Markup]:
    """Where the data, the weights and the numbers come from."""
    arrays, noun = material.data.arrays, material.noun
    sizes = (
        f"{len(arrays.train[1]):,} to learn from, {len(arrays.validation[1]):,} to choose by,"
        f" {len(arrays.test[1]):,} {noun}s to test on, on which nothing was chosen"
    )
    rows = {**facts, "Rows": sizes}
    if material.notice:
        rows["Notice of the weights"] = material.notice
    entries = [part for name, text in rows.items() for part in (tag("dt", name), tag("dd", text))]
    return [tag("dl", *entries)]


def _graph(material: Material) -> list[Markup]:
    shape = None if material.views is None else material.views.shape
    deviations = material.spread.deviations(material.formula.features)
    picture = picture_of(material.called_formula, material.classes, deviations, shape)
    if len(picture.lines) > MOST_LINES:
        return [tag("p", f"A graph of {len(picture.lines):,} lines is none that can be read.")]
    kind = "the wider a line" if picture.lines else "the darker a field"
    legend = (
        f"Blue adds and red, dashed where it is a line, subtracts; {kind}, the more the feature"
        " usually moves the sum: its coefficient times its standard deviation."
    )
    return [scrolled(drawn(picture), "Graph of the formulas"), tag("p", legend, class_="small")]


def _source(text: str, label: str) -> Markup:
    return tag("pre", tag("code", text), tabindex="0", role="region", aria_label=label)


def _comparison(material: Material, paper: tuple[float, str] | None) -> Markup:
    x, y = as_rows(material.data.arrays.test)
    rows = len(y)
    used = str(len(material.formula.features))

    def line(name: str, right: int, features: str) -> list[object]:
        return [
            name,
            percent(right / rows),
            between(right, rows),
            tag("span", f"{right:,} of {rows:,}", class_="whole"),
            features,
        ]

    lines = [line("Formulas", int(material.right.sum()), used)]
    with torch.no_grad():
        soft = material.head.soft(x.to(material.head.calibration)).argmax(dim=-1).cpu()
        name = "Soft network that they were read off"
        if material.head.kind == "essence":
            name = "The same circuit with soft steps"
        lines.append(line(name, int((soft == y).sum()), used))
        if material.dense is not None:
            right = int((material.dense(x).argmax(dim=-1) == y).sum())
            lines.append(line("Dense logistic head", right, f"{x.shape[1]:,}"))
    majority = int(np.bincount(material.y).argmax())
    most = material.classes[majority]
    lines.append(line(f"Always {most}, the most frequent", int((y == majority).sum()), "0"))
    if paper is not None:
        accuracy, source = paper
        name = join(["Paper ", tag("span", f"({source})", class_="small")])
        lines.append([name, percent(accuracy), "", "", ""])
    titles = ("Classifier", "Test accuracy", "95 % interval", "Right", "Features")
    return scrolled(table(titles, lines), "Accuracy beside other classifiers")


def _confusion(material: Material) -> list[Markup]:
    classes = material.classes
    counts = material.confusions
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    rows = []
    for k, name in enumerate(classes):
        cells = [
            tag(
                "td",
                f"{counts[k, j]:,}",
                class_="hit" if k == j else "miss",
                style=f"--share:{shares[k, j]:.3f}",
            )
            for j in range(len(classes))
        ]
        rows.append(tag("tr", tag("th", name, scope="row"), *cells))
    head = tag(
        "tr", tag("th", "is ↓, called →", scope="col"),
        *(tag("th", name, scope="col") for name in classes),
    )  # fmt: skip
    kind = "confusion many" if len(classes) > 4 else "confusion"
    said = f"Test {material.noun}s by their class (rows) and what the formulas call them (columns)."
    grid = tag("table", tag("thead", head), tag("tbody", *rows), class_=kind)
    return [tag("p", said, class_="small"), scrolled(grid, "Confusions"), *_found(classes, counts)]


def _found(classes: Sequence[str], counts: NDArray[np.int64]) -> list[Markup]:
    """How much of each class is found: where one is rare, accuracy does not say so."""
    rates = ClassRates(tuple(map(float, counts.diagonal())), tuple(counts.sum(axis=1).tolist()))
    lines = [
        (name, percent(recall), said_interval(ends))
        for name, recall, ends, rows in zip(
            classes, rates.recalls, rates.recall_intervals, rates.rows, strict=True
        )
        if rows
    ]
    mean = percent(rates.balanced_accuracy)
    said = f"Balanced accuracy, the mean of what is found of each class: {mean}."
    titles = ("Class", "Found (recall)", "95 % interval")
    return [tag("p", said), scrolled(table(titles, lines), "Found of each class")]


def _sizes(material: Material, points: Sequence[Point]) -> list[Markup]:
    ordered = sorted(points, key=lambda point: point.features)
    chosen = _chosen(material.formula, ordered)
    # Two classes share one score: its features are those of the formulas.
    nec = len(material.classes) > 2
    lines = []
    for point in ordered:
        rates = getattr(point, "rates", None)
        interval = "–" if rates is None else said_interval(rates.accuracy_interval)
        size = f"{point.features}"
        name = tag("strong", f"{size}, this page") if point is chosen else size
        accuracy = percent(point.validation_accuracy)
        own = [f"{nec_of(point.formula).mean:.1f}"] if nec else []
        lines.append((name, *own, accuracy, interval, str(point.operations)))
    titles = ("Features", *(["NEC"] if nec else []), "Held out", "95 % interval", "Operations")
    said = "Formulas of one fit, judged on rows held out of it, not on test rows."
    if nec:
        said += " NEC: the features that a class reads, in the mean."
    mark = None if chosen is None else chosen.features
    parts = [
        tag("h3", "Accuracy against size"),
        tag("p", said, class_="small"),
        scrolled(table(titles, lines), "Accuracy of each size"),
        tag("figure", curve(ordered, mark), class_="chart wide"),
    ]
    if material.many:
        return parts
    texts = [
        (str(point.features), "; ".join(point.formula.rule(material.classes))) for point in ordered
    ]
    listed = scrolled(table(("Features", "Formulas"), texts), "The formulas of all sizes")
    return [*parts, folded("The formulas of all sizes", listed)]


def _chosen(formula: Expression, points: Sequence[Point]) -> Point | None:
    """The point that the page is about: of its formula, or else of its number of features."""
    same = [point for point in points if point.formula == formula]
    size = [point for point in points if point.features == len(formula.features)]
    return next(iter(same or size), None)
