"""The page: whole, self-contained, escaped, readable, and right about its figures."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from occamhead import Expression, OccamHead
from occamhead.explain import report
from occamhead.explain.style import STYLE
from occamhead.expression.formats.markup import Markup, escape, tag
from occamhead.rows.arrays import ArrayData
from occamhead.rows.dense import fit_dense_head
from occamhead.rows.metrics import accuracy
from occamhead.training.results import Fit
from occamhead.vision import extract, load_backbone, photograph_splits
from tests.explain.conftest import make_case

VOID = {"br", "hr", "img", "link", "meta"}


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


@pytest.fixture(scope="module")
def written(case, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    facts = {"Data": "noise", "Command": "python -m this --out 'a b' <c>"}
    given = report(
        path,
        as_fit(case),
        case.data,
        pictures=case.pictures,
        backbone=case.backbone,
        curve=points(8),
        paper=(0.929, "Table 1"),
        facts=facts,
    )
    assert given == path
    return check_page(path)


def test_the_figures_are_those_of_the_formulas(written, case):
    x, y = case.data.arrays.test
    formula = case.head.formula()
    right = int((formula(x.astype(np.float64)).argmax(axis=1) == y).sum())
    assert 0 < right < len(y)
    assert f"{right} of {len(y)} test photographs" in written.text
    dense = accuracy(as_fit(case).dense, (torch.from_numpy(x), torch.from_numpy(y)))
    assert f"Dense logistic head{100 * dense:.1f}\u00a0%" in written.text
    assert "Paper (Table 1)92.9\u00a0%" in written.text
    confusion = re.findall(r'<td class="(hit|miss)"[^>]*>(\d+)<', written.source)
    counts = np.zeros((2, 2), dtype=int)
    np.add.at(counts, (y, formula(x.astype(np.float64)).argmax(axis=1)), 1)
    assert [int(number) for _, number in confusion] == counts.ravel().tolist()
    assert [kind for kind, _ in confusion] == ["hit", "miss", "miss", "hit"]
    found = counts.diagonal() / counts.sum(axis=1)
    assert f"found of each class: {100 * found.mean():.1f}\u00a0%" in written.text
    for name, recall in zip(case.data.classes, found, strict=True):
        assert f"{name}{100 * recall:.1f}\u00a0%" in written.text
    assert f"{len(y) - right} of {len(y)} test photographs, the surest mistakes first" in (
        written.text
    )


def test_everything_is_there(written, case):
    formula = case.head.formula()
    for heading in ("Formulas", "Accuracy", "Features", "By numbers", "Mistakes", "How it was"):
        assert heading in written.text
    assert all(text in written.text for text in formula.text())
    assert "def scores(x):" in written.text
    cards = [a["id"] for a in written.all("h3") if a.get("id")]
    assert sorted(cards) == sorted(f"feature-{index}" for index in formula.features)
    assert len(written.all("math")) > len(formula.features)
    assert "Validation accuracy from 70.0 % with 1 to 90.0 % with 5 features" in written.source
    # Of each feature four pictures at each end, of the examples and mistakes one each.
    mistakes = len(written.all("li")) - 6  # links to sections
    examples = written.text.count("Margin")
    assert len(written.all("img")) == 8 * len(formula.features) + examples + mistakes


def test_the_notice_stands_wherever_a_figure_comes_from_the_weights(written):
    sections = written.source.split("<section")
    noted = [section for section in sections if "Say &lt;this&gt;." in section]
    # All but the one that holds the formulas alone.
    assert len(noted) == len(sections) - 1 == 6


def test_the_same_page_twice(written, case, tmp_path):
    again = report(
        tmp_path / "again.html", as_fit(case), case.data,
        pictures=case.pictures, backbone=case.backbone, curve=points(8), paper=(0.929, "Table 1"),
        facts={"Data": "noise", "Command": "python -m this --out 'a b' <c>"},
    )  # fmt: skip
    assert again.read_text(encoding="utf-8") == written.source


def test_text_is_text(backbone, tmp_path):
    nasty = "<script>alert('1')</script>\x00\"&amp;"
    case = make_case(backbone, classes=(nasty, "b\udcff"))
    case.pictures.names = tuple(f"x/{nasty}{i}" for i in range(30))
    names = [f"<i>{nasty} {i}" for i in range(8)]
    path = report(
        tmp_path / "r.html", case.head, case.data, pictures=case.pictures, backbone=backbone,
        names=names, title=nasty, facts={nasty: nasty}, paper=(0.5, nasty),
    )  # fmt: skip
    page = check_page(path)
    assert "<script" not in page.source and "<i>" not in page.source and "\0" not in page.source
    assert "<script>alert('1')</script>\ufffd\"&amp;" in page.text


def test_markup_escapes_all_but_markup():
    assert tag("p", "a<b", tag("br"), Markup("&nbsp;"), class_='"') == (
        '<p class="&quot;">a&lt;b<br>&nbsp;</p>'
    )
    assert tag("a", data_x=None, hidden=True, off=False, aria_label=3) == (
        '<a hidden aria-label="3"></a>'
    )
    assert escape(escape("<")) == "&lt;"


def test_pixels_are_marked(tmp_path):
    case = make_case(None)
    page = check_page(report(tmp_path / "r.html", case.head, case.data, pictures=case.pictures))
    feature = case.head.formula().features[0]
    place, colour = divmod(feature, 3)
    said = f"{('red', 'green', 'blue')[colour]} of the pixel in row {place // 16}, column"
    assert said in page.text and "The square marks the pixel" in page.text
    assert all(image["src"].startswith("data:image/png") for image in page.all("img"))


def test_rows_without_pictures(case, tmp_path):
    page = check_page(report(tmp_path / "r.html", case.head, case.data))
    assert not page.all("img") and "test rows" in page.text
    assert re.search(r"row \d+: called", page.text)


def test_other_pictures_without_a_backbone_have_no_map(case, tmp_path):
    page = check_page(report(tmp_path / "r.html", case.head, case.data, pictures=case.pictures))
    assert "There is no map" in page.text and page.all("img")


def test_a_backbone_that_made_other_features_gives_no_map(case, tmp_path):
    arrays = case.data.arrays
    other = ArrayData(arrays.train, arrays.validation, (arrays.test[0] + 1, arrays.test[1]),
                      classes=case.data.classes)  # fmt: skip
    page = check_page(
        report(tmp_path / "r.html", case.head, other, pictures=case.pictures,
               backbone=case.backbone)
    )  # fmt: skip
    assert "There is no map" in page.text


def test_cards_of_many_features_are_limited_and_counted(backbone, tmp_path):
    case = make_case(backbone, classes=tuple("abcde"))
    used = len(case.head.formula().features)
    path = report(tmp_path / "r.html", case.head, case.data, pictures=case.pictures,
                  backbone=backbone, most_cards=2, examples=1)  # fmt: skip
    page = check_page(path)
    assert sum("id" in heading for heading in page.all("h3")) == 2
    assert f"{used - 2} further features of less importance" in page.text


def test_formulas_that_are_no_sums(tmp_path):
    generator = torch.Generator().manual_seed(0)
    head = OccamHead(5, 2, bases=[["sin", "mul", "max"], ["affine2", "div"]], skip=True)
    x = torch.randn(60, 5, generator=generator)
    y = (x[:, 0] > 0).long()
    head.initialise(x, generator=generator)
    rows = [(x[i : i + 20].numpy(), y[i : i + 20].numpy()) for i in (0, 20, 40)]
    data = ArrayData(*rows, classes=("a", "b"))
    assert head.eval().formula().features
    check_page(report(tmp_path / "r.html", head, data))


def test_formulas_that_are_not_defined_everywhere(tmp_path):
    head = OccamHead(2, 2, bases=["div", "log_abs"])
    x = np.array([[0.0, 0.0], [1.0, 0.0], [-1.0, 2.0], [3.0, 1.0]], dtype=np.float32)
    rows = (x, np.array([0, 1, 0, 1]))
    head.initialise(torch.from_numpy(x), standardise=False,
                    generator=torch.Generator().manual_seed(0))  # fmt: skip
    data = ArrayData(rows, rows, rows, classes=("a", "b"))
    assert not np.isfinite(head.eval().formula()(x)).all()
    check_page(report(tmp_path / "r.html", head, data))


def test_formulas_of_no_feature(case, tmp_path):
    head = OccamHead(8, 2, bases=["affine1"])
    with torch.no_grad():
        for constants in head.network.free_constants:
            constants.zero_()
    assert not head.eval().formula().features
    page = check_page(report(tmp_path / "r.html", head, case.data, pictures=case.pictures))
    assert "use no feature" in page.text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pictures": 29}, "pictures: wanted one per test row, 30, got 29"),
        ({"names": ["a"]}, "names: wanted one per feature, 8, got 1"),
        ({"head": OccamHead(9, 2).eval()}, "the head takes 9 features, but the rows have 8"),
        ({"head": OccamHead(8, 3).eval()}, "3 formulas need as many class names, got 2"),
        ({"head": OccamHead(8, 1).eval()}, "a formula per class, two or more"),
        ({"examples": 0}, "examples must be at least 1"),
        ({"most_cards": 0}, "most_cards must be at least 1"),
    ],
)
def test_bad_input_is_refused(case, tmp_path, change, message):
    given: dict[str, Any] = {"head": case.head, "data": case.data, **change}
    if "pictures" in change:
        given["pictures"] = case.pictures.subset(range(change["pictures"]))
    with pytest.raises(ValueError, match=message):
        report(tmp_path / "r.html", **given)
    assert not (tmp_path / "r.html").exists()


def test_several_targets_per_row_are_refused(case, tmp_path):
    parts = [
        (x, np.eye(2, dtype=np.float32)[y])
        for x, y in (case.data.arrays.train, case.data.arrays.validation, case.data.arrays.test)
    ]
    with pytest.raises(ValueError, match="one label per row; these rows have several targets"):
        report(tmp_path / "r.html", case.head, ArrayData(*parts, classes=("a", "b")))


# --- colours -------------------------------------------------------------------------------------


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_contrast_by_day_and_by_night():
    """At least 4.5 to 1 for all text (WCAG 2.2, level AA)."""
    schemes = [dict(re.findall(r"--(\w+): (#\w{6})", rule)) for rule in STYLE.split(":root")[1:]]
    assert len(schemes) == 2
    for colours in schemes:
        for text in ("ink", "soft", "blue", "red"):
            for ground in ("paper", "card", "tint"):
                light, dark = sorted(map(luminance, (colours[text], colours[ground])))[::-1]
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)


# --- in a browser --------------------------------------------------------------------------------

OVERFLOW = """
  document.querySelectorAll('details').forEach(part => part.open = true);
  document.documentElement.scrollWidth
"""


@pytest.mark.parametrize(
    "classes",
    [("dark", "bright"), ("n02346627_" + "porcupine" * 6, "Ein sehr langer Name mit Worten")],
    ids=["short", "long"],
)
def test_in_a_browser(browser, backbone, tmp_path, classes):
    case = make_case(backbone, classes=classes)
    names = [f"{'feature' * 9}_{i}" for i in range(8)] if len(classes[0]) > 20 else None
    path = report(
        tmp_path / "report.html", as_fit(case), case.data, pictures=case.pictures,
        backbone=backbone, curve=points(8), names=names,
        facts={"Command": "python -m " + "x" * 200},
    )  # fmt: skip
    for width in (1280, 390, 320):
        browser.open(path, width)
        assert browser.requests == [path.resolve().as_uri()]
        assert browser.value("window.innerWidth") == width
        assert browser.value(OVERFLOW) <= width
        loaded = "[...document.images].every(i => i.complete && i.naturalWidth > 0)"
        assert browser.value(loaded) is True
    problems = [e for e in browser.events if e["method"] == "Runtime.exceptionThrown"]
    assert not problems


def test_the_browser_would_tell_of_a_request(browser, tmp_path):
    path = tmp_path / "page.html"
    path.write_text('<title>t</title><img src="http://127.0.0.1:9/picture.png" alt="">')
    browser.open(path, 800)
    assert browser.requests == [path.resolve().as_uri(), "http://127.0.0.1:9/picture.png"]


def test_dark_where_dark_is_asked_for(browser, case, tmp_path):
    path = report(tmp_path / "report.html", case.head, case.data)
    ground = "getComputedStyle(document.body).backgroundColor"
    browser.open(path, 800)
    assert browser.value(ground) == "rgb(255, 255, 255)"
    browser.open(path, 800, dark=True)
    assert browser.value(ground) == "rgb(20, 23, 27)"


# --- real photographs ----------------------------------------------------------------------------


def test_real_photographs_by_a_real_backbone(data_folder, one_thread, tmp_path):
    backbone = load_backbone("resnet50")
    splits, _ = photograph_splits(data_folder / "hymenoptera")
    test = splits.test.subset([*range(6), *range(100, 106)])
    x = extract(backbone, test, progress=False)
    rows = (x, test.labels)
    data = ArrayData(rows, rows, rows, classes=test.classes)
    head = OccamHead(2048, 2, bases=["affine6"])
    head.initialise(*(torch.from_numpy(part) for part in rows),
                    generator=torch.Generator().manual_seed(0))  # fmt: skip
    page = check_page(
        report(tmp_path / "r.html", head.eval(), data, pictures=test, backbone=backbone)
    )
    assert "the channel of layer4 whose spatial mean" in page.text
    # The file that lies in the shared folder asks for it; torchvision's own would not.
    if backbone.notice:
        assert page.text.count(backbone.notice) >= 6
