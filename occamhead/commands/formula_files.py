"""The files of a formula: Python, JSON and LaTeX."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from occamhead.expression import Expression


def write_formula(
    folder: Path, formula: Expression, comment: str, classes: Sequence[str] = ()
) -> None:
    """Write formula.py, formula.json and formula.tex into a folder.

    Args:
        folder: It exists.
        formula: What to write.
        comment: What it is, in a line.
        classes: A name per output, of a classifier's scores.
    """
    (folder / "formula.py").write_text(formula.python(comment, classes))
    (folder / "formula.json").write_text(formula.to_json(classes) + "\n")
    (folder / "formula.tex").write_text("".join(f"{line}\n" for line in formula.latex()))
