"""The report's sections on the formulas, their accuracy, and how they were made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from occamhead.explain.charts import Point, curve, drawn
from occamhead.explain.material import Material
from occamhead.explain.parts import folded, scrolled, table
from occamhead.explain.words import count, in_words, listed, percent
from occamhead.expression.formats.drawing import picture_of
from occamhead.expression.formats.markup import Markup, join, tag
from occamhead.expression.formats.mathml import mathml_lines
from occamhead.expression.formats.rule import rule_of
from occamhead.rows.arrays import as_rows
from occamhead.rows.metrics import ClassRates

# Features of a graph that is shown without being asked for.
SMALL_GRAPH = 16


def opening(material: Material) -> list[Markup]:
    """What the page is about, in two sentences."""
    formula, classes = material.formula, material.classes
    right, rows = int(material.right.sum()), len(material.y)
    size = f"{count(len(formula.features), 'feature')} and {count(formula.operations, 'operation')}"
    said = (
        f"These {in_words(len(classes))} formulas of {size} are the classifier: they tell"
        f" {listed(classes)} apart, and are right on "
    )
    if rule_of(formula) is not None:
        said = f"One formula of {size} tells {listed(classes)} apart, and is right on "
    return [
        tag(
            "p",
            said,
            tag("strong", f"{right:,} of {count(rows, f'test {material.noun}')}"),
            f" ({percent(right / rows)}).",
            class_="lede",
        )
    ]


def formulas_section(material: Material) -> list[Markup]:
    """The formulas as mathematics, text, Python and a graph."""
    formula, classes = material.formula, material.classes
    lines = [
        tag("p", tag("math", line.name, tag("mo", "=")), " ", join(line.pieces, " "),
            class_="formula")
        for line in mathml_lines(formula, classes)
    ]  # fmt: skip
    text = "\n\n".join(formula.rule(classes))
    python = formula.python(f"The class of the highest score: {', '.join(classes)}", classes)
    return [
        tag("div", *lines, class_="formulas", tabindex="0", role="region", aria_label="Formulas"),
        tag("p", "The class with the highest score wins.", class_="small"),
        folded("As a graph", *_graph(material), opened=len(formula.features) <= SMALL_GRAPH),
        folded("As plain text", _source(text, "The formulas as text")),
        folded("As Python, to copy into a file", _source(python, "The formulas as Python")),
    ]


def accuracy_section(
    material: Material, paper: tuple[float, str] | None, points: Sequence[Point]
) -> list[Markup]:
    """The formulas beside other classifiers, which classes they confuse, and the curve."""
    parts = [_comparison(material, paper), tag("h3", "Confusions"), *_confusion(material)]
    if points:
        parts += _curve(material, points)
    return parts


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
    picture = picture_of(material.formula, material.classes, deviations, shape)
    kind = "the darker a pixel" if shape else "the wider a line"
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
            tag("span", f"{right:,} of {rows:,}", class_="whole"),
            features,
        ]

    lines = [line("Formulas", int(material.right.sum()), used)]
    with torch.no_grad():
        soft = material.head.soft(x.to(material.head.calibration)).argmax(dim=-1).cpu()
        lines.append(line("Soft network that they were read off", int((soft == y).sum()), used))
        if material.dense is not None:
            right = int((material.dense(x).argmax(dim=-1) == y).sum())
            lines.append(line("Dense logistic head", right, f"{x.shape[1]:,}"))
    majority = int(np.bincount(material.known_labels).argmax())
    most = material.classes[majority]
    lines.append(line(f"Always {most}, the most frequent", int((y == majority).sum()), "0"))
    if paper is not None:
        accuracy, source = paper
        name = join(["Paper ", tag("span", f"({source})", class_="small")])
        lines.append([name, percent(accuracy), "", ""])
    titles = ("Classifier", "Test accuracy", "Right", "Features")
    return scrolled(table(titles, lines), "Accuracy beside other classifiers")


def _confusion(material: Material) -> list[Markup]:
    classes = material.classes
    counts = np.zeros((len(classes), len(classes)), dtype=int)
    np.add.at(counts, (material.y, material.predicted), 1)
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
    said = f"Test {material.noun}s by their class (rows) and what the formulas call them (columns)."
    grid = tag("table", tag("thead", head), tag("tbody", *rows), class_="confusion")
    return [tag("p", said, class_="small"), scrolled(grid, "Confusions"), *_found(classes, counts)]


def _found(classes: Sequence[str], counts: NDArray[np.int64]) -> list[Markup]:
    """How much of each class is found: where one is rare, accuracy does not say so."""
    rates = ClassRates(tuple(map(float, counts.diagonal())), tuple(counts.sum(axis=1).tolist()))
    lines = [
        (name, percent(recall), f"{percent(low)} to {percent(high)}")
        for name, recall, (low, high), rows in zip(
            classes, rates.recalls, rates.recall_intervals, rates.rows, strict=True
        )
        if rows
    ]
    mean = percent(rates.balanced_accuracy)
    said = f"Balanced accuracy, the mean of what is found of each class: {mean}."
    titles = ("Class", "Found (recall)", "95 % interval")
    return [tag("p", said), scrolled(table(titles, lines), "Found of each class")]


def _curve(material: Material, points: Sequence[Point]) -> list[Markup]:
    chosen = len(material.formula.features)
    lines = [
        (
            str(point.features),
            percent(point.validation_accuracy),
            str(point.operations),
            "; ".join(point.formula.text()),
        )
        for point in sorted(points, key=lambda point: point.features)
    ]
    titles = ("Features", "Validation accuracy", "Operations", "Formulas")
    return [
        tag("h3", "Accuracy against size"),
        tag(
            "figure",
            curve(points, chosen),
            tag("figcaption", "Formulas of one fit, judged on validation rows, not on test rows."
                " The larger dot has as many features as the formulas of this page."),
            class_="chart wide",
        ),
        folded("The formulas of the curve", scrolled(table(titles, lines), "The curve's formulas")),
    ]  # fmt: skip
