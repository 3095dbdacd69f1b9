"""The report: one page that shows what a head's formulas are, are worth, and look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from occamhead.checks import check_counts
from occamhead.explain.cards import features_section
from occamhead.explain.cases import examples_section, mistakes_section
from occamhead.explain.charts import Point
from occamhead.explain.class_cards import (
    apart_section,
    classes_section,
    confusions_part,
    shared_section,
)
from occamhead.explain.finding import script
from occamhead.explain.many import Many
from occamhead.explain.material import MANY, Material, check_data, check_names
from occamhead.explain.opening import opening, told_apart, warnings_section
from occamhead.explain.sections import accuracy_section, formulas_section, made_section
from occamhead.explain.style import STYLE
from occamhead.explain.suspects import suspects_in
from occamhead.explain.views import Keep, made_anew, views_of
from occamhead.expression.formats.markup import Markup, join, tag
from occamhead.heads.base import SymbolicHead
from occamhead.saving import write_whole
from occamhead.version import __version__
from occamhead.vision.features import cached_arrays

if TYPE_CHECKING:
    from occamhead.rows.arrays import ArrayDataModule
    from occamhead.training.results import Fit
    from occamhead.vision import Backbone, Pictures

Sections: TypeAlias = Mapping[str, tuple[list[Markup], bool]]
"""The parts of each section, and whether its figures come from the weights of a backbone."""


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
    """Write one self-contained HTML page about a head: no request to a network, and no script.

    Every figure is that of the formulas on the test rows, so make the page last. Of 20 classes or
    more (:data:`occamhead.explain.material.MANY`) it has a card for each class rather than one for
    each feature, what classes share and which are one feature apart; a few lines of script make the
    box that finds classes among them, without which the page is the same.

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
            folded; a feature that changes no decision has none. Not of many classes.

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
    many = len(data.classes) >= MANY
    material = Material(
        head=own,
        formula=formula,
        data=data,
        dense=dense,
        views=views_of(pictures, backbone, data.arrays.test[0], _keeper(data)),
        examples=examples,
        notice=backbone.notice if backbone else None,
        # Of many classes it would take maps of too many pictures.
        suspects=None if many else suspects_in(formula, data),
    )
    path_points = () if isinstance(head, SymbolicHead) or head.path is None else head.path.points
    points = curve or path_points
    all_facts = {"Data": data.description, **(facts or {}), "Made by": _maker()}
    of_classes = Many(material, examples) if many else None
    sections: Sections = {
        **(_few(material, paper, points, most_cards) if of_classes is None
           else _many(of_classes, paper, points)),
        "By numbers": (examples_section(material), True),
        "Mistakes": (mistakes_section(material), True),
        "How it was made": (made_section(material, all_facts), False),
    }  # fmt: skip
    notice = _notice(material.notice)
    shown = [
        _section(name, [*parts, *(notice if noted else [])])
        for name, (parts, noted) in sections.items()
    ]
    title = title or f"Told apart by formulas: {told_apart(data.classes)}"
    sheet = None if of_classes is None else of_classes.sheet
    page = _page(
        title,
        [*opening(material), *notice, _contents(sections)],
        shown,
        style=() if sheet is None else [sheet.style()],
        script=() if of_classes is None else [script()],
    )
    target = Path(path)
    write_whole(target, page)
    return target


def _few(
    material: Material, paper: tuple[float, str] | None, points: Sequence[Point], most_cards: int
) -> Sections:
    """The formulas and a card for each feature."""
    warned = material.suspects is not None
    return {
        "Formulas": (formulas_section(material), False),
        **({"Warnings": (warnings_section(material), True)} if warned else {}),
        "Accuracy": (accuracy_section(material, paper, points), True),
        "Features": (features_section(material, most_cards), True),
    }


def _many(many: Many, paper: tuple[float, str] | None, points: Sequence[Point]) -> Sections:
    """A card for each class."""
    material = many.material
    return {
        "Accuracy": (accuracy_section(material, paper, points, confusions_part(many)), True),
        "Classes": (classes_section(many), True),
        "Shared features": (shared_section(many), False),
        "One feature apart": (apart_section(many), False),
        "Formulas": (formulas_section(material), False),
    }


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


def _page(
    title: str,
    head: Sequence[Markup],
    sections: Sequence[Markup],
    style: Sequence[Markup],
    script: Sequence[Markup],
) -> str:
    # An empty icon: a browser would ask the server for one.
    metas = [
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        Markup('<link rel="icon" href="data:,">'),
        tag("title", title),
        Markup(f"<style>{STYLE}</style>"),
        *style,
    ]
    body = [tag("header", tag("h1", title), *head), tag("main", *sections), *script]
    page = tag("html", tag("head", *metas), tag("body", *body), lang="en")
    return "<!DOCTYPE html>\n" + join([page, "\n"])
