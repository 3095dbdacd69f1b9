"""Pictures of formulas as data: everything is there, and nothing overlaps."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings

from occamhead import Expression
from occamhead.expression.formats.drawing import picture_of
from occamhead.expression.formats.picture import Picture, shortened, text_width
from tests.expression.random_formulas import expressions

parse = Expression.parse


def sums(classes: int, features: int, shared: bool = False, seed: int = 0) -> Expression:
    """Weighted sums; of two classes the first is 0."""
    rng = np.random.default_rng(seed)
    pool = rng.choice(2048, features, replace=False)
    texts = []
    for _ in range(classes):
        chosen = pool if shared else rng.choice(2048, features, replace=False)
        weights = rng.normal(size=features)
        terms = [f"{c:.3g}*x{i}" for c, i in zip(weights, chosen, strict=True)]
        texts.append(" + ".join([*terms, f"{rng.normal():.3g}"]))
    return parse(["0", texts[1]] if classes == 2 else texts, num_inputs=2048)


def check_apart(picture: Picture) -> None:
    """No text over another or over a box's edge, no box over a box, no line through either."""
    texts = [text.bounds for text in picture.texts]
    boxes = [box.bounds for box in picture.boxes if box.kind != "frame"]
    for kind in (texts, boxes):
        assert not any(a.meets(b) for a, b in itertools.combinations(kind, 2))
    for text in texts:
        for box in boxes:
            inside = (
                box.left <= text.left
                and text.right <= box.right
                and box.top <= text.top
                and text.bottom <= box.bottom
            )
            assert inside or not text.meets(box)
    for line in picture.lines:
        level = line.start[1] == line.bend[1] == line.end[1]
        for box in boxes:
            if line.start[0] < box.right and box.left < line.end[0]:
                assert level and not box.top < line.start[1] < box.bottom
    # Lines that run level side by side do not cover each other.
    level = [line for line in picture.lines if line.start[1] == line.bend[1] == line.end[1]]
    for a, b in itertools.combinations(level, 2):
        if a.start[0] < b.end[0] and b.start[0] < a.end[0]:
            assert abs(a.start[1] - b.start[1]) >= (a.width + b.width) / 2


@pytest.mark.parametrize("features", [1, 10, 48])
@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize("shared", [False, True])
def test_sums_are_there_and_apart(classes, features, shared):
    formula = sums(classes, features, shared)
    names = [f"class number {k}" for k in range(classes)]
    picture = picture_of(formula, names)
    check_apart(picture)
    said = [text.text for text in picture.texts]
    assert {f"x{i}" for i in formula.features} <= set(said)
    assert len([t for t in picture.texts if t.backed]) == len(picture.lines)
    for name in names[1:]:
        assert name in said


@settings(max_examples=60, deadline=None)
@given(expressions())
def test_any_formula_is_apart(formula):
    picture = picture_of(formula)
    check_apart(picture)
    inputs = [box for box in picture.boxes if box.kind == "input"]
    if any(box.kind != "cell" for box in picture.boxes):
        assert len(inputs) == len(formula.features)


def test_two_classes_are_one_sum_and_its_threshold():
    formula = parse(["0", "4*x0 - 2*x1 - 0.25"])
    picture = picture_of(formula, ["ants", "bees"])
    said = [text.text for text in picture.texts]
    assert said == [
        "x0", "x1", "4", "−2", "bees", "if the sum is above 0.25,", "otherwise ants",
    ]  # fmt: skip
    assert [line.sign for line in picture.lines] == ["adds", "takes"]
    assert len(picture.boxes) == 3


def test_a_sum_that_only_subtracts_is_turned_round():
    picture = picture_of(parse(["0", "6.3 - 2*x0 - x1"]), ["face", "other"])
    said = [text.text for text in picture.texts]
    assert said[2:] == ["2", "1", "other", "if the sum is below 6.3,", "otherwise face"]
    assert {line.sign for line in picture.lines} == {"adds"}


def test_a_condition_has_no_threshold_and_a_constant_no_sum():
    said = [text.text for text in picture_of(parse(["0", "3*(x0 > x1) - 1"])).texts]
    assert said[-3:-1] == ["if true,", "otherwise class 0"]
    said = [text.text for text in picture_of(parse(["0", "-1"], num_inputs=1)).texts]
    assert said[-1] == "always class 0"


def test_what_adds_most_is_on_top_and_widths_are_what_a_term_moves():
    formula = parse(["0", "4*x0 - 2*x1 + x2"])
    plain = picture_of(formula)
    widths = {text.text: line.width for text, line in zip(
        [t for t in plain.texts if t.backed], plain.lines, strict=True)}  # fmt: skip
    assert widths["4"] > widths["−2"] > widths["1"]
    tops = {t.text: t.y for t in plain.texts if t.text.startswith("x")}
    assert tops["x0"] < tops["x2"] < tops["x1"]
    moved = picture_of(formula, deviations={0: 0.1, 1: 0.5, 2: 1.0})
    widths = {text.text: line.width for text, line in zip(
        [t for t in moved.texts if t.backed], moved.lines, strict=True)}  # fmt: skip
    assert widths["4"] < widths["−2"] == widths["1"]


def test_pixels_are_a_map_each_in_its_place():
    formula = parse(["0", "2*x1 - x5 + 3*x6"], num_inputs=12)
    picture = picture_of(formula, ["seven", "nought"], shape=(3, 4))
    (frame,) = (box for box in picture.boxes if box.kind == "frame")
    cells = [box for box in picture.boxes if box.kind == "cell"]
    side = (frame.bounds.right - frame.bounds.left) / 4
    places = [(round(c.bounds.top / side), round(c.bounds.left / side)) for c in cells]
    assert places == [(0, 1), (1, 1), (1, 2)]
    assert [cell.sign for cell in cells] == ["adds", "takes", "adds"]
    strengths = [cell.strength for cell in cells]
    assert strengths[2] == 1.0 and strengths[2] > strengths[0] > strengths[1] > 0
    assert not picture.lines
    check_apart(picture)
    check_apart(picture_of(sums(3, 5), shape=(16, 128)))
    colours = picture_of(parse("x0 - x4 + x11"), shape=(2, 2, 3))
    assert [t.text for t in colours.texts if t.text in ("red", "green", "blue")] == [
        "red", "green", "blue",
    ]  # fmt: skip
    # What is no sum of pixels is a graph still.
    assert picture_of(parse("x0*x1"), shape=(1, 2)).lines


def test_many_classes_of_shared_features_are_a_table():
    formula = sums(10, 24, shared=True)
    picture = picture_of(formula)
    cells = [box for box in picture.boxes if box.kind == "cell"]
    assert len(cells) == 240 and not picture.lines
    assert max(cell.strength for cell in cells) <= 0.6  # text on it can be read


def test_names_are_shortened_in_the_middle():
    assert shortened("short") == "short"
    name = shortened("a very long name of a feature, number 7", 20)
    assert len(name) == 20 and name.startswith("a very") and name.endswith("number 7")
    assert text_width("mmm") > text_width("iii") and text_width("x", strong=True) > text_width("x")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"titles": ["a"]}, "2 outputs need as many class names, got 1"),
        ({"shape": (2, 3)}, "a picture of 2 x 3 has 6 numbers, the formula 4 inputs"),
        ({"deviations": {0: 1.0}}, "input 3 of the formula has none"),
    ],
)
def test_bad_input_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        picture_of(parse(["0", "x0 + x3"]), **given)
