"""A page as a reader of HTML sees it, and what a report is made of."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import torch

from occamhead import Expression
from occamhead.rows.dense import fit_dense_head
from occamhead.training.results import Fit

VOID = {"br", "hr", "img", "input", "link", "meta"}


class Page(HTMLParser):
    """Reads a page, and insists that every element is closed where it must be."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(self.source)
        self.close()
        assert self.open == []

    def handle_starttag(self, name, attributes):
        assert len(dict(attributes)) == len(attributes)
        self.elements.append((name, dict(attributes)))
        if name not in VOID:
            self.open.append(name)

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.text += data

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for found, attributes in self.elements if found == name]


def check_page(path: Path) -> Page:
    """What is true of every page."""
    page = Page(path)
    assert path.stat().st_size < 5_000_000
    assert page.all("html") == [{"lang": "en"}] and len(page.all("title")) > 0
    assert not page.all("script") and not page.all("iframe")
    for _, attributes in page.elements:
        for key in ("src", "href", "srcset", "data", "action", "poster", "xlink:href"):
            assert (attributes.get(key) or "#").startswith(("#", "data:")), attributes
        assert not any(key.startswith("on") for key in attributes)
    assert not re.search(r"url\(|@import", page.source)
    assert all(image["alt"] for image in page.all("img"))
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in page.all("svg"))
    identifiers = [a["id"] for _, a in page.elements if "id" in a]
    assert len(set(identifiers)) == len(identifiers)
    targets = {a["href"] for a in page.all("a")} | {
        f"#{a['aria-labelledby']}" for a in page.all("section")
    }
    assert targets <= {f"#{identifier}" for identifier in identifiers}
    levels = [int(name[1]) for name, _ in page.elements if re.fullmatch("h[1-6]", name)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    regions = [a for _, a in page.elements if a.get("role") == "region"]
    assert all(a["tabindex"] == "0" and a["aria-label"] for a in regions)
    return page


@dataclass
class Point:
    formula: Expression
    features: int
    validation_accuracy: float
    operations: int


def points(width: int) -> list[Point]:
    formulas = [["x0", "0"], ["x0 + x1", "2*x2"], ["x0 + x1 + x2", "x3 - x4"]]
    made = [Expression.parse(texts, num_inputs=width) for texts in formulas]
    shares = (0.7, 0.83, 0.9)
    return [
        Point(formula, len(formula.features), share, formula.operations)
        for formula, share in zip(made, shares, strict=True)
    ]


def as_fit(case: Any) -> Fit:
    rows = tuple(torch.from_numpy(part) for part in case.data.arrays.train)
    dense = fit_dense_head(rows, case.data.num_classes, 0.1)
    return Fit(case.head, dense, None, 0.9, 0.1, (0.5,))
