"""Scores worked through by numbers: of many terms the largest, of long ones the start."""

from __future__ import annotations

import re

import pytest

from occamhead.explain.cases import MOST_TERMS, _filled_in
from occamhead.explain.example import Score, Term


def added(lines: list[str]) -> list[float]:
    """The third column."""
    cells = [re.findall(r"<t[dh].*?>(.*?)</t[dh]>", line) for line in lines]
    return [float(re.sub("<.*?>", "", line[2]).replace("−", "-")) for line in cells]


def test_of_many_terms_those_that_count_most_are_shown_and_the_others_folded():
    terms = tuple(Term(f"x{i}", (-1.0) ** i, float(i)) for i in range(15))
    page = str(
        _filled_in(Score("bees", sum(t.contribution for t in terms) + 0.5, terms, 0.5), 14.0)
    )
    shown, _, rest = page.partition("<details")
    lines = re.findall(r"<tr>.*?</tr>", shown)[1:]
    assert len(lines) == MOST_TERMS + 3 and "3 further terms" in lines[MOST_TERMS]
    numbers = added(lines)
    assert numbers[:3] == [14, -13, 12] and numbers[MOST_TERMS] == -1 + 2 - 0
    assert sum(numbers[:-1]) == pytest.approx(numbers[-1])
    assert added(re.findall(r"<tr>.*?</tr>", rest)[1:]) == [2, -1, 0]
    few = str(_filled_in(Score("bees", 1.0, terms[:MOST_TERMS], 0.0), 14.0))
    assert "<details" not in few


def test_a_long_term_shows_its_start():
    text = " + ".join(f"0.25*x{i}" for i in range(20)) + " > 0.5"
    page = str(_filled_in(Score("bees", 2.0, (Term(text, 2.0, 1.0),), 0.0), 2.0))
    assert "<summary>0.25*x0 + 0.25*x1 + 0.25*x2 + …</summary>" in page
    assert text.replace(">", "&gt;") in page
