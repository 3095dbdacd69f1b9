"""The report: one page that shows what a head's formulas are, are worth, and look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from occamhead.checks import check_counts
from occamhead.explain.cards import features_section
from occamhead.explain.cases import examples_section, mistakes_section
from occamhead.explain.charts import Point
from occamhead.explain.material import Material, check_data, check_names
from occamhead.explain.opening import opening, warnings_section
from occamhead.explain.sections import accuracy_section, formulas_section, made_section
from occamhead.explain.style import STYLE
from occamhead.explain.suspects import suspects_in
from occamhead.explain.views import Keep, made_anew, views_of
from occamhead.explain.words import listed
from occamhead.expression.formats.markup import Markup, join, tag
from occamhead.heads.base import SymbolicHead
from occamhead.saving import write_whole
from occamhead.version import __version__
from occamhead.vision.features import cached_arrays

if TYPE_CHECKING:
    from occamhead.rows.arrays import ArrayDataModule
    from occamhead.training.results import Fit
    from occamhead.vision import Backbone, Pictures


def report(
    path: str | Path,
    head: SymbolicHead | Fit,
    data: ArrayDataModule,
    *,
    pictures: Pictures | None = None,
    backbone: Backbone | None = None,
    curve: Sequence[Point] = (),
    names: Sequence[str] | None = None,
    paper: tuple[float, str] | None = None,
    facts: Mapping[str, str] | None = None,
    title: str = "",
    examples: int = 4,
    most_cards: int = 12,
) -> Path:
    """Write one self-contained HTML page about a head: no script, no request to a network.

    Every figure is that of the formulas on the test rows, so make the page last.

    Args:
        path: The page; its folder must exist.
        head: The head, or the fit that made it, whose dense head is then compared with.
        data: The rows of all splits, of one label each, with their classes.
        pictures: The pictures of the test rows, in their order; by default those that the data
            kept, see :class:`occamhead.vision.PictureRows`. Without them the page has none.
        backbone: What made the features of the pictures, for the maps of where they are high; by
            default the one that the data kept.
        curve: Formulas of several sizes, to set accuracy against size; by default the path of the
            fit, if it has one.
        names: A name per feature; by default x0, x1, ...
        paper: An accuracy to compare with, and where it stands.
        facts: What to say on how the head was made (data, seed, command, ...), by name.
        title: The page's title; by default the classes.
        examples: Pictures at each end of a feature.
        most_cards: Cards that are shown at once, of the most important features. The others are
            folded; a feature that changes no decision has none.

    Returns:
        The path.

    Raises:
        ValueError: If the data are not rows of this classifier, or there is not one picture per
            test row or one name per feature.
        ImportError: If there are pictures and Pillow is missing.

    Example:
        >>> import torch
        >>> from sklearn.datasets import load_iris
        >>> from occamhead import OccamHead, report
        >>> from occamhead.rows.arrays import ArrayData
        >>> x, y = load_iris(return_X_y=True)
        >>> train, validation, test = ((x[i::3].astype("float32"), y[i::3]) for i in range(3))
        >>> head = OccamHead(4, 3)
        >>> _ = head.initialise(*map(torch.as_tensor, train))
        >>> report("report.html", head.eval(), ArrayData(train, validation, test)).name
        'report.html'
    """
    check_counts(examples=examples, most_cards=most_cards)
    data.setup("test")
    # Rows of other origin know of neither.
    if pictures is None and (kept := getattr(data, "pictures", None)) is not None:
        pictures = kept.test
        backbone = getattr(data, "backbone", None) if backbone is None else backbone
    dense = None if isinstance(head, SymbolicHead) else head.dense
    own = head if isinstance(head, SymbolicHead) else head.head
    check_names(names, own.in_features)
    formula = own.formula(names)
    check_data(formula, data)
    material = Material(
        head=own,
        formula=formula,
        data=data,
        dense=dense,
        views=views_of(pictures, backbone, data.arrays.test[0], _keeper(data)),
        examples=examples,
        notice=backbone.notice if backbone else None,
        suspects=suspects_in(formula, data),
    )
    path_points = () if isinstance(head, SymbolicHead) or head.path is None else head.path.points
    all_facts = {"Data": data.description, **(facts or {}), "Made by": _maker()}
    sections = {
        "Formulas": (formulas_section(material), False),
        **({} if material.suspects is None else {"Warnings": (warnings_section(material), True)}),
        "Accuracy": (accuracy_section(material, paper, curve or path_points), True),
        "Features": (features_section(material, most_cards), True),
        "By numbers": (examples_section(material), True),
        "Mistakes": (mistakes_section(material), True),
        "How it was made": (made_section(material, all_facts), False),
    }
    notice = _notice(material.notice)
    shown = [
        _section(name, [*parts, *(notice if noted else [])])
        for name, (parts, noted) in sections.items()
    ]
    title = title or f"Told apart by formulas: {listed(data.classes)}"
    page = _page(title, [*opening(material), *notice, _contents(sections)], shown)
    target = Path(path)
    write_whole(target, page)
    return target


def _keeper(data: ArrayDataModule) -> Keep:
    """Data that keep features on disk keep maps there, too."""
    if hasattr(data, "cache_dir"):
        return partial(cached_arrays, cache_dir=data.cache_dir)
    return made_anew


def _maker() -> str:
    return f"occamhead {__version__}"


def _notice(text: str | None) -> list[Markup]:
    return [tag("p", text, class_="notice")] if text else []


def _identifier(name: str) -> str:
    return name.lower().replace(" ", "-")


def _contents(names: Mapping[str, object]) -> Markup:
    links = [tag("li", tag("a", name, href=f"#{_identifier(name)}")) for name in names]
    return tag("nav", tag("ul", *links), aria_label="Sections")


def _section(name: str, parts: Sequence[Markup]) -> Markup:
    identifier = _identifier(name)
    return tag("section", tag("h2", name, id=identifier), *parts, aria_labelledby=identifier)


def _page(title: str, head: Sequence[Markup], sections: Sequence[Markup]) -> str:
    # An empty icon: a browser would ask the server for one.
    metas = [
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        Markup('<link rel="icon" href="data:,">'),
        tag("title", title),
        Markup(f"<style>{STYLE}</style>"),
    ]
    body = [tag("header", tag("h1", title), *head), tag("main", *sections)]
    page = tag("html", tag("head", *metas), tag("body", *body), lang="en")
    return "<!DOCTYPE html>\n" + join([page, "\n"])
