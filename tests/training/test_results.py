"""What a fit and a path print: the rule, and what each size costs."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from occamhead.rows.arrays import ArrayData
from occamhead.training.path import fit_path

pytestmark = pytest.mark.usefixtures("offline", "one_thread")


@pytest.fixture(scope="module")
def fitted(planted):
    rows = planted(rows=200, features=20)
    data = ArrayData(rows.train, rows.validation, rows.test, classes=("ants", "bees"))
    path = fit_path(data, budgets=(1, 2, 4))
    return path, path.fit(path.points[1], data)


def test_a_path_prints_its_rule_and_a_line_for_each_size(fitted):
    path, _ = fitted
    chosen = path.select()
    rule, empty, titles, *lines = str(path).splitlines()
    assert [rule] == chosen.formula.rule(["ants", "bees"]) and empty == ""
    assert titles.split()[:3] == ["features", "held", "out"]
    assert len(lines) == len(path)
    assert [line.endswith("chosen") for line in lines] == [p is chosen for p in path]
    for point, line in zip(path, lines, strict=True):
        low, high = point.rates.accuracy_interval
        said = f"{point.features} {point.validation_accuracy:.1%} {low:.1%} to {high:.1%}"
        assert " ".join(line.split()).startswith(said)


def test_a_fit_prints_its_own_head(fitted):
    _, fit = fitted
    rule, judged, _, _, *lines = str(fit).splitlines()
    assert [rule] == fit.head.formula().rule(["ants", "bees"])
    assert judged.startswith("2 features of ") and f"{fit.validation_accuracy:.1%}" in judged
    assert [line.endswith("chosen") for line in lines] == [False, True, False]
    assert repr(fit) == str(fit) and "ParameterList" not in str(fit)


def test_both_are_html_in_a_notebook(fitted):
    for shown in fitted:
        html = shown._repr_html_()
        page = ElementTree.fromstring(html)
        assert len(page.findall("table/tbody/tr")) == 3
        assert [word.text for word in page.iter("strong")] == ["bees", "ants"]
        assert len(html) < 5000
