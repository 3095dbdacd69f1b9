"""The programs of docs/programs.md do what their titles say."""

from __future__ import annotations

import itertools
import random
import re
from pathlib import Path

import numpy as np
import pytest

from recipes.automata.rules import LifeRule
from recipes.features.essence_methods import SHAPE_TESTS
from recipes.features.parts import shape
from tests.distill.printed import predict_of

PAGE = (Path(__file__).parents[2] / "docs" / "programs.md").read_text()
PROGRAMS = dict(re.findall(r"### (.+?)\n\n```python\n(.*?)```", PAGE, re.DOTALL))


def load(title: str):
    return predict_of(PROGRAMS[title])


def bits(count: int, width: int) -> list[list[int]]:
    return [[code >> i & 1 for i in range(width)] for code in range(count)]


@pytest.mark.parametrize("title", [title for title in PROGRAMS if title.startswith("rule ")])
def test_elementary_rules(title):
    rule = int(title.split()[1].strip(","))
    for window in bits(8, 3):
        left, centre, right = window
        assert load(title)(window) == rule >> (4 * left + 2 * centre + right) & 1


@pytest.mark.slow
@pytest.mark.parametrize("title", [title for title in PROGRAMS if title.startswith("any ")])
def test_any_elementary_rule(title):
    for row in bits(2048, 11):
        left, centre, right = row[8:]
        assert load(title)(row) == row[4 * left + 2 * centre + right]


@pytest.mark.parametrize("title", [title for title in PROGRAMS if title.startswith("Life, ")])
def test_life(title):
    for window in bits(512, 9):
        neighbours = sum(window) - window[4]
        assert load(title)(window) == (neighbours == 3 or (window[4] == 1 and neighbours == 2))


@pytest.mark.parametrize("title", [title for title in PROGRAMS if ", B" in title])
def test_rules_in_the_manner_of_life(title):
    rule = LifeRule.parse(title.split(", ")[1])
    windows = np.array(bits(512, 9))
    assert [load(title)(window) for window in windows.tolist()] == rule.of_windows(windows).tolist()


@pytest.mark.slow
@pytest.mark.parametrize("title", [title for title in PROGRAMS if "new points" in title])
def test_real_points(title):
    """The program is as accurate as its title says."""
    points, inside = shape("disc" if title.startswith("disc") else "product", SHAPE_TESTS, 0)
    accuracy = np.mean([load(title)(point) for point in points.tolist()] == inside)
    assert f"{accuracy:.3f} of 4,000" in title


@pytest.mark.parametrize(
    ("title", "truth"),
    [
        ("parity", lambda x: sum(x) % 2),
        ("sum % 3", lambda x: sum(x) % 3),
        ("majority", lambda x: sum(x) > len(x) / 2),
        ("argmax", lambda x: int(np.argmax(x))),
    ],
)
def test_programs_of_any_length(title, truth):
    generator = random.Random(0)
    for _ in range(50):
        x = [generator.randint(0, 1 if title != "argmax" else 10**6) for _ in range(501)]
        assert load(title)(x) == truth(x)


@pytest.mark.parametrize("title", ["a > b", "adder step", "a + b"])
def test_numbers_of_any_length(title):
    generator = random.Random(0)
    for _ in range(50):
        a, b = generator.getrandbits(300), generator.getrandbits(300)
        x = [a >> i & 1 for i in range(300)] + [b >> i & 1 for i in range(300)]
        wanted = a > b if title == "a > b" else [a + b >> i & 1 for i in range(301)]
        assert load(title)(x) == wanted


def test_sorting():
    predict = load("sort three numbers, by an OccamNet, seed 0")
    assert all(predict(list(x)) == [-3, 5, 8] for x in itertools.permutations([-3, 5, 8]))
    assert predict([2, 1, 2]) == [1, 2, 2]


def test_a_line_of_forty():
    predict = load("orientation")
    square = np.zeros((40, 40), dtype=int)
    square[7] = 1
    assert predict(square.ravel().tolist()) == 0
    assert predict(square.T.ravel().tolist()) == 1
