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
