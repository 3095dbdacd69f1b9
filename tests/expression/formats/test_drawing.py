"""Pictures of formulas."""

from __future__ import annotations

import pytest

from occamhead import Expression

parse = Expression.parse
DRAWN = ["2*x0 - x1 + 1", "sin(x0)*sin(x0) + x1", "5", "x0", "x0 if x1 > 0 else max(x0, x1, 2)",
         ["x0 + x1", "x0 + x1", "tanh(3*x0)/x1"]]  # fmt: skip


@pytest.mark.parametrize("text", DRAWN, ids=range(len(DRAWN)))
def test_pictures(text, tmp_path):
    expression = parse(text, num_inputs=2)
    expression.draw(tmp_path / "formula.png")
    assert (tmp_path / "formula.png").read_bytes().startswith(b"\x89PNG")
    expression.draw(tmp_path / "formula.svg", titles=[f"class {k}" for k in range(len(expression))])
    svg = (tmp_path / "formula.svg").read_text()
    assert svg.count("<path") > 3 and "class 0" in svg


def test_pictures_with_odd_names(tmp_path):
    """$, _ and \\ in a name are text, not mathematics."""
    expression = parse("x0 + 2*x1").renamed(["cost $", "a_b \\frac{$"])
    expression.draw(tmp_path / "formula.png", titles=["$x_"])
    assert (tmp_path / "formula.png").stat().st_size > 1000


def test_matplotlibs_own_letters_fit_into_the_boxes(tmp_path, monkeypatch):
    """What is written is measured by what draws it, not by the picture's own estimate."""
    from matplotlib.figure import Figure

    drawn = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: drawn.append(figure))
    names = ["Wombat, MMMM", "fuzzy body", "straße", "x3"]
    formula = parse(["0", "2.345*x0 - 0.0012*x1 + x2 - 4*x3 - 12.25"]).renamed(names)
    formula.draw(tmp_path / "formula.png", ["English springer", "MWMW garbage truck"])
    (axes,) = drawn[0].axes
    drawn[0].canvas.draw()
    frames = [patch.get_window_extent() for patch in axes.patches]
    page = drawn[0].bbox
    for text in axes.texts:
        words = text.get_window_extent()
        assert page.x0 <= words.x0 and words.x1 <= page.x1
        assert page.y0 <= words.y0 and words.y1 <= page.y1
    boxes = frames[len(names) :]
    for text in axes.texts:
        if text.get_bbox_patch() is None:
            words = text.get_window_extent()
            assert any(box.x0 <= words.x0 and words.x1 <= box.x1 for box in boxes)
