"""What a head prints of itself: one line in a model, its rule alone, the same in a notebook."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from torch import nn

from occamhead import EssenceHead, OccamHead
from tests.heads.heads import HEADS, fitted


@pytest.mark.parametrize("kind", HEADS)
def test_a_head_prints_its_rule_and_a_model_one_line_of_it(kind):
    head = fitted(kind).head
    first, *rules = str(head).splitlines()
    assert first == repr(head) and rules == head.formula().rule(head.classes or ())
    model = nn.Sequential(nn.Linear(3, head.in_features), head)
    assert f"(1): {first}\n" in repr(model) and "network" not in repr(model)
    page = ElementTree.fromstring(head._repr_html_())
    assert page.tag == "div" and page.find("p/code").text == first
    assert len(page.findall("p")) > 1 and page.find("p[@class='formula']") is not None


def test_classes_are_named():
    head = OccamHead(4, 2, bases=["affine1"], classes=["ants & co", "<bees>"]).eval()
    assert repr(head) == ("OccamHead(in_features=4, out_features=2, classes=(ants & co, <bees>))")
    assert str(head).splitlines()[1].startswith("<bees> if ")
    words = [word.text for word in ElementTree.fromstring(head._repr_html_()).iter("strong")]
    assert words == ["<bees>", "ants & co"]


def test_a_head_without_a_formula_says_why():
    head = EssenceHead(3, 2)
    assert str(head) == f"{head!r}\nthis head has no circuit yet; call fit(x, y) first"
    assert "no circuit yet" in head._repr_html_()
    head = OccamHead(3, 2).to("meta")
    assert "meta device" in str(head) and "meta device" in head._repr_html_()
