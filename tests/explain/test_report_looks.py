"""How the page looks: its colours, and what a browser makes of it at any width."""

from __future__ import annotations

import re

import pytest

from occamhead.explain import report
from occamhead.explain.style import STYLE
from tests.explain.conftest import make_case
from tests.explain.pages import as_fit, points

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

HIDDEN = """
  [...document.querySelectorAll('.scroll table, .columns table')]
    .filter(table => table.scrollWidth > table.closest('.scroll').clientWidth + 1)
    .map(table => table.closest('.scroll').getAttribute('aria-label'))
"""
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
        if names is None and width >= 390:  # every column can be seen without scrolling
            assert browser.value(HIDDEN) == []
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
