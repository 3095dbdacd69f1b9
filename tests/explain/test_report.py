"""The page: whole, self-contained, escaped, readable, and right about its figures."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch

from occamhead import EssenceHead, OccamHead
from occamhead.explain import Feature, Spread, explain_features, report
from occamhead.expression.formats.markup import Markup, escape, tag
from occamhead.heads.writing import Sums, write_head
from occamhead.rows.arrays import ArrayData
from occamhead.rows.metrics import accuracy, wilson_interval
from occamhead.training.path import fit_path
from occamhead.vision import extract, load_backbone, photograph_splits
from tests.explain.conftest import make_case
from tests.explain.pages import as_fit, check_page, points


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


def test_few_cards_are_shown_the_others_folded(backbone, tmp_path):
    case = make_case(backbone, classes=tuple("abcde"))
    path = report(tmp_path / "r.html", case.head, case.data, pictures=case.pictures,
                  backbone=backbone, most_cards=2, examples=1)  # fmt: skip
    page = check_page(path)
    parts = page.source.split("<summary>The cards of ")
    assert len(parts) == 2
    shown = [len(re.findall(r'<h3 id="feature-', part)) for part in parts]
    features = features_of(case)
    changing = sum(feature.changed > 0 for feature in features)
    assert shown == [2, changing - 2] and parts[1].startswith(f"{changing - 2} further feature")


def features_of(case: Any) -> list[Feature]:
    rows = case.data.arrays
    known = Spread.of(np.concatenate([rows.train[0], rows.validation[0]]))
    return explain_features(case.head.formula(), known, *rows.test)


def sums_head(weight: list[list[float]], bias: list[float]) -> OccamHead:
    """A head of weighted sums, written down."""
    sums = Sums(torch.tensor(weight), torch.tensor(bias))
    width = sums.weight.shape[1]
    return write_head(sums, (torch.zeros(width), torch.ones(width)))


def rule_case(case: Any) -> tuple[OccamHead, ArrayData]:
    """Two features of which one decides, half of whose values are the lowest, 0."""
    generator = np.random.default_rng(0)
    splits = []
    for _, y in (case.data.arrays.train, case.data.arrays.validation, case.data.arrays.test):
        noise = generator.uniform(0.1, 1, (len(y), 2))
        x = np.stack([np.where(y == 1, 1 + noise[:, 0], 0), noise[:, 1]], axis=1)
        splits.append((x.astype(np.float32), y))
    head = sums_head([[0.0, 0.0], [2.0, 0.0001]], [0.0, -1.0])
    return head, ArrayData(*splits, classes=case.data.classes)


def test_a_rule_comes_first_and_says_what_speaks_for_what(case, tmp_path):
    head, data = rule_case(case)
    head.hints = ("sky, snow", "coal, ravens, soot")
    page = check_page(report(tmp_path / "r.html", head, data, pictures=case.pictures))
    start = page.text.replace("\u2062", "").index("bright if 2x0")
    assert (
        start
        < page.text.index("In words: for bright speak x0 (sky, snow)")
        < page.text.index("30 of 30")
    )
    low, _ = wilson_interval(30, 30)
    assert f"95 % interval {100 * low:.1f}\u00a0% to 100.0\u00a0%" in page.text
    assert "x0 · sky, snow" in page.text.replace("\u2062", "")
    assert "where it is above 0, the rule says bright, otherwise dark" in page.text


def test_what_changes_no_decision_has_no_card_and_ties_are_not_the_lowest(case, tmp_path):
    head, data = rule_case(case)
    page = check_page(report(tmp_path / "r.html", head, data, pictures=case.pictures))
    assert [a["id"] for a in page.all("h3") if a.get("id")] == ["feature-0"]
    assert "1 feature changes no decision on test photographs: no card." in page.text
    assert 'href="#feature-1"' not in page.source
    zeros = int((data.arrays.test[0][:, 0] == 0).sum())
    assert zeros > 4 and f"Lowest values: 0 in {zeros} of 30 photographs" in page.text
    assert "among the highest" in page.source and "among the lowest" not in page.source


def test_an_essence_head_has_the_same_page(case, tmp_path):
    _, data = rule_case(case)
    head = EssenceHead(2, 2, inputs="real").fit(*data.arrays.train).eval()
    page = check_page(report(tmp_path / "r.html", head, data, pictures=case.pictures))
    assert "bright" in page.text and "This rule of" in page.text
    assert page.all("svg") and "95 % interval" in page.text


def test_a_path_is_a_table_of_sizes(case, tmp_path):
    x, y = (torch.from_numpy(part) for part in case.data.arrays.train)
    path = fit_path((x, y), budgets=(1, 2, 4))
    fit = path.fit(path.points[1], case.data)
    page = check_page(report(tmp_path / "r.html", fit, case.data))
    assert page.text.count("2, this page") == 1
    for point in path:
        low, high = point.rates.accuracy_interval
        said = f"{100 * low:.1f}\u00a0% to {100 * high:.1f}\u00a0%"
        assert f"{100 * point.validation_accuracy:.1f}\u00a0%{said}" in page.text


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


# --- real photographs ----------------------------------------------------------------------------


@pytest.mark.slow
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
