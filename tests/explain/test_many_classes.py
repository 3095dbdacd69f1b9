"""The page of many classes: a card each, what they share, a box to search, each picture once."""

from __future__ import annotations

import re
import tarfile

import numpy as np
import pytest
import torch

from occamhead import Expression
from occamhead.explain import report
from occamhead.explain.finding import SCRIPT
from occamhead.explain.many import Many
from occamhead.explain.material import MANY, Material
from occamhead.heads.neighbours import one_feature_apart
from occamhead.heads.writing import Sums, write_head
from occamhead.rows.arrays import ArrayData
from occamhead.vision import PictureArrays, StoredFeatures
from tests.explain.pages import Page, points

CLASSES = MANY + 2
NASTY = "<script>alert('1')</script>\"&amp;"


class Case:
    """Classes that read one feature each, every third another one too, of either sign."""

    def __init__(self, names=None):
        generator = np.random.default_rng(0)
        labels = np.arange(6 * CLASSES) % CLASSES
        x = generator.uniform(0, 1, (len(labels), CLASSES + 3)).astype(np.float32)
        x[np.arange(len(labels)), labels] += np.where(
            generator.uniform(size=len(labels)) < 0.8, 1, 0
        )
        weight = torch.zeros(CLASSES, CLASSES + 3)
        weight[:, :CLASSES] = 2 * torch.eye(CLASSES)
        weight[::3, CLASSES] = 0.5
        weight[1, CLASSES] = -0.5
        weight[-1] = weight[-2]
        self.head = write_head(
            Sums(weight, torch.zeros(CLASSES)),
            (torch.zeros(CLASSES + 3), torch.ones(CLASSES + 3)),
        ).eval()
        rows = (x, labels)
        names = names or [f"kind {k}" for k in range(CLASSES)]
        self.data = ArrayData(rows, rows, rows, classes=names)
        images = generator.integers(0, 255, (len(labels), 16, 16, 3), dtype=np.uint8)
        files = [f"folder/{i}.jpg" for i in range(len(labels))]
        self.pictures = PictureArrays(images, files, labels, names)

    def write(self, path, **options):
        return report(path, self.head, self.data, pictures=self.pictures, **options)


@pytest.fixture(scope="module")
def case():
    return Case()


@pytest.fixture(scope="module")
def written(case, tmp_path_factory):
    folder = tmp_path_factory.mktemp("many")
    return check_many(case.write(folder / "r.html", curve=points(CLASSES + 3)[:1]), 500_000)


def check_many(path, most):
    """What is true of every page of many classes."""
    page = Page(path)
    assert path.stat().st_size < most
    assert page.source.count(SCRIPT) == page.source.count("<script") == 1
    for _, attributes in page.elements:
        for key in ("src", "href", "srcset", "data", "action", "poster"):
            assert (attributes.get(key) or "#").startswith(("#", "data:")), attributes
        assert not any(key.startswith("on") for key in attributes)
    assert not re.search(r"url\((?!data:)|@import|https?://", page.source)
    identifiers = [a["id"] for _, a in page.elements if "id" in a]
    assert len(set(identifiers)) == len(identifiers)
    targets = {a["href"] for a in page.all("a")}
    assert targets <= {f"#{identifier}" for identifier in identifiers}
    pictures = re.findall(r"url\((data:[^)]+)\)", page.source)
    assert len(set(pictures)) == len(pictures)
    shown = [a for a in page.all("span") if (a.get("class") or "").startswith("i ")]
    assert all(a["role"] == "img" and a["aria-label"] for a in shown)
    assert {a["class"] for a in shown} == {f"i i{k}" for k in range(len(pictures))}
    return page


def test_each_class_has_a_card(written, case):
    cards = [a for a in written.all("article") if (a.get("id") or "").startswith("class-")]
    assert [a["id"] for a in cards] == [f"class-{k}" for k in range(CLASSES)]
    assert cards[4]["data-find"] == "kind 4 x4"
    y = case.data.arrays.test[1]
    called = case.head.formula()(case.data.arrays.test[0].astype(np.float64)).argmax(axis=1)
    right = int((called == y).sum())
    assert f"right on {right} of {len(y)} test photographs" in written.text
    own = int(((called == y) & (y == 4)).sum())
    assert re.search(rf"kind 4Found: {own} of 6 photographs", written.text)
    nec = (CLASSES + len(range(0, CLASSES, 3)) + 1 + (CLASSES - 2) % 3 // 3) / CLASSES
    assert f"A class reads {nec:.1f} features in the mean (NEC), and at most 2." in written.text


def test_the_confusions_of_a_class_are_links(written, case):
    y = case.data.arrays.test[1]
    called = case.head.formula()(case.data.arrays.test[0].astype(np.float64)).argmax(axis=1)
    for k in range(CLASSES):
        card = written.source.split(f'id="class-{k}"')[1].split("</article>")[0]
        counts = np.bincount(called[y == k], minlength=CLASSES)
        counts[k] = 0
        found = re.findall(r'<a href="#class-(\d+)">[^<]+</a> \((\d+)\)', card)
        assert [int(n) for _, n in found] == sorted(counts[counts > 0], reverse=True)[:3]
        assert all(counts[int(j)] == int(n) for j, n in found)
        assert found or "Never taken for another class" in card


def test_what_classes_share_and_what_parts_them(written, case):
    shared = written.source.split(f'id="feature-{CLASSES}"')[1].split("</li>")[0]
    users = [int(k) for k in re.findall(r'href="#class-(\d+)"', shared)]
    weight = case.head.formula()
    readers = [k for k in range(CLASSES) if CLASSES in weight[k].features]
    assert set(readers) <= set(users) and "<strong>Against</strong>" in shared
    pairs = one_feature_apart(case.head)
    assert f"The formulas of {len(pairs)} pairs of classes read" in written.text
    assert f"kind {CLASSES - 2} and kind {CLASSES - 1}: nothing but numbers" in written.text


def test_pictures_are_where_a_feature_is_highest(written, case):
    x = case.data.arrays.test[0]
    card = written.source.split('id="class-4"')[1].split("</article>")[0]
    said = re.findall(r'title="kind \d+: x4 is ([\d.]+)"', card)
    assert said == [f"{value:.3g}" for value in np.sort(x[:, 4])[::-1][:4]]


def test_names_are_text(tmp_path):
    case = Case([f"{NASTY} {k}" for k in range(CLASSES)])
    page = check_many(case.write(tmp_path / "r.html", title=NASTY), 1_000_000)
    assert "alert('1')" not in page.source and f"{NASTY} 4" in page.text


def test_without_pictures_and_of_few_classes(case, tmp_path):
    page = check_many(report(tmp_path / "r.html", case.head, case.data), 500_000)
    assert not page.all("img") and "image/" not in page.source and "kind 4Found" in page.text
    few = MANY - 1
    head = write_head(Sums(torch.eye(few), torch.zeros(few)), (torch.zeros(few), torch.ones(few)))
    rows = (np.eye(few, dtype=np.float32), np.arange(few))
    data = ArrayData(rows, rows, rows)
    assert "<script" not in report(tmp_path / "few.html", head.eval(), data).read_text()


def test_features_within_a_formula_and_classes_without_rows(tmp_path):
    texts = [f"x{k}*x{(k + 1) % 5}" for k in range(CLASSES - 1)] + ["0"]
    texts = [text.replace(f"x{k}", f"x{k % 5}") for k, text in enumerate(texts)]
    formula = Expression.parse(texts, num_inputs=5)
    rows = (np.random.default_rng(0).uniform(size=(40, 5)).astype(np.float32), np.arange(40) % 20)
    data = ArrayData(rows, rows, rows, classes=[f"k{k}" for k in range(CLASSES)])
    many = Many(Material(None, formula, data, None, None, 4, None), 4)  # type: ignore[arg-type]
    assert many.reads[0] == [(0, None), (1, None)] and many.reads[-1] == []
    assert many.confused(CLASSES - 1) == [] and many.pictures(0) == ""


def test_more_features_than_have_pictures(tmp_path):
    generator = torch.Generator().manual_seed(0)
    weight = 1 + torch.rand(CLASSES, 9, generator=generator)
    head = write_head(Sums(weight, torch.zeros(CLASSES)), (torch.zeros(9), torch.ones(9)))
    case = Case()
    x, y = case.data.arrays.test
    case.head, case.data = head.eval(), ArrayData(*[(x[:, :9], y)] * 3)
    page = check_many(case.write(tmp_path / "r.html"), 500_000)
    # Of what all classes share the formulas leave something out: it decides nothing.
    whole = sum(len(case.head.formula()[k].features) == 9 for k in range(CLASSES))
    assert page.text.count("3 further features in the formula") == whole > CLASSES / 2
    assert re.search(r"also read by (1\d|2[01]) classes", page.text)


# --- in a browser --------------------------------------------------------------------------------

WIDTH = "document.documentElement.scrollWidth"
SHOWN = "[...document.querySelectorAll('[data-find]')].filter(c => c.offsetHeight).length"
TYPE = "box.value = '{}'; box.dispatchEvent(new Event('input')); {}"


def test_in_a_browser(browser, case, tmp_path):
    path = case.write(tmp_path / "r.html")
    for width in (1280, 390):
        browser.open(path, width)
        assert browser.requests == [path.resolve().as_uri()]
        assert browser.value(WIDTH) <= width
        assert browser.value(SHOWN) == CLASSES
        assert browser.value(TYPE.format("KIND 7", SHOWN)) == 2
        assert browser.value(TYPE.format("x7", SHOWN)) == 1
        # A link to a card that is not shown shows it.
        assert browser.value("location.hash = '#class-3'; 0") == 0
        browser.call("Runtime.evaluate", expression="new Promise(r => setTimeout(r, 300))",
                     awaitPromise=True)  # fmt: skip
        assert browser.value(SHOWN) == CLASSES
        assert not [e for e in browser.events if e["method"] == "Runtime.exceptionThrown"]


def test_without_a_script(browser, case, tmp_path):
    path = case.write(tmp_path / "r.html")
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    browser.open(path, 390)
    assert browser.value(SHOWN) == CLASSES and browser.value(WIDTH) <= 390
    assert browser.value("document.querySelector('.find').offsetHeight") == 0


# --- two hundred classes -------------------------------------------------------------------------


@pytest.mark.slow
def test_two_hundred_classes_of_photographs(data_folder, one_thread, tmp_path):
    """Sums of the few features that are highest in each class, beside another class's."""
    folder = data_folder / "tiny200"
    if not folder.is_dir():
        pytest.skip("the 200 classes are not among the data")
    file = folder / "features_resnet50_128_train.npz"
    data = StoredFeatures(file, pictures=folder / "tiny200.tar.xz")
    data.setup()
    assert data.pictures is not None and data.pictures.test.picture(0).size == (64, 64)
    with tarfile.open(folder / "tiny200.tar.xz") as archive:
        name = f"./{data.pictures.test.names[0]}"
        assert archive.extractfile(name).read() == data.pictures.test.files[0]
    x, y = data.arrays.train
    means = np.stack([x[y == k].mean(axis=0) for k in range(200)])
    gaps = (means - means.mean(axis=0)) / x.std(axis=0)
    weight = torch.zeros(200, 2048)
    for k, chosen in enumerate(np.argsort(-gaps, axis=1)[:, :5]):
        weight[k, chosen] = 1.0
    scale = torch.from_numpy(x.mean(axis=0)), torch.from_numpy(x.std(axis=0))
    head = write_head(Sums(weight, torch.zeros(200)), scale).eval()
    page = check_many(report(tmp_path / "r.html", head, data), 15_000_000)
    assert "(NEC), and at most 5" in page.text and "goldfishFound" in page.text
    assert len(re.findall(r"url\(data:image/", page.source)) > 1000
