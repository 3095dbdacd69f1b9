"""``Expression``: the formula as an object, which every trainer returns and every reader takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from occamhead.expression.evaluate import FormulaModule, evaluate
from occamhead.expression.formats.code_book import CodeBook, code_book_of
from occamhead.expression.formats.drawing import draw
from occamhead.expression.formats.json_format import from_json, to_json
from occamhead.expression.formats.latex import to_latex
from occamhead.expression.formats.python_source import to_python
from occamhead.expression.formats.rule import to_rules
from occamhead.expression.formats.sympy_form import to_sympy
from occamhead.expression.formats.text import parse, to_text
from occamhead.expression.graph import Graph, GraphBuilder
from occamhead.expression.simplify import round_constants, simplify

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor


class Expression(Graph):
    """One formula per output over shared, immutable nodes, with all that can be done with it.

    Build it by a trainer, :meth:`parse`, :meth:`from_json` or :class:`ExpressionBuilder`. Two
    expressions are equal if they have the same nodes, outputs, inputs and names.

    Args:
        nodes: Children before parents; every node is used by some output.
        outputs: Index of each output's node.
        num_inputs: Length of the input vector; inputs need not all be used.
        names: A name per input; None names them ``x0``, ``x1``, ...

    Example:
        >>> from occamhead import Expression
        >>> formula = Expression.parse("3*x0 if x0 > 0 else -x1")
        >>> formula([[2.0, 5.0], [-2.0, 5.0]]).tolist()
        [[6.0], [-5.0]]
    """

    # --- making other expressions --------------------------------------------------------------

    def simplified(self) -> Expression:
        """The same function with sums flattened and equal terms collected."""
        return simplify(self)

    def rounded(self, digits: int) -> Expression:
        """The expression whose every number is rounded to `digits` significant digits."""
        return round_constants(self, digits)

    # --- evaluation ------------------------------------------------------------------------------

    def __call__(self, x: Any) -> Any:
        """Evaluate on rows: `x` of shape [..., num_inputs] gives [..., outputs].

        Tensors give tensors on their device and in their dtype; anything else gives a float64
        numpy array (float32 for a float32 array).
        """
        return evaluate(self, x)

    def torch(self) -> FormulaModule:
        """An ``nn.Module`` that computes the formulas, ready for export and compilation."""
        return FormulaModule(self)

    def agrees_with(
        self, other: Expression, x: np.ndarray | Tensor, tolerance: float = 1e-9
    ) -> bool:
        """Whether both give the same values on these rows, to a relative tolerance.

        NaN equals NaN and inf equals inf.
        """
        own, others = self(x), other(x)
        return np.shape(own) == np.shape(others) and bool(
            np.allclose(own, others, rtol=tolerance, atol=tolerance, equal_nan=True)
        )

    # --- forms to read and to store ------------------------------------------------------------

    def __str__(self) -> str:
        return "\n".join(self.text())

    def text(self) -> list[str]:
        """One line per output; :meth:`parse` reads it back to an equal expression."""
        return to_text(self)

    def rule(self, classes: Sequence[str] = ()) -> list[str]:
        """What a person reads, a line for each output, or one for two of which the first is 0.

        Two classes: the second one where a sum is above a threshold, otherwise the first.

        Args:
            classes: A name per output; by default y0, y1, ..., or "class 0" and "class 1".

        Raises:
            ValueError: If there are names, but not one per output.

        Example:
            >>> from occamhead import Expression
            >>> Expression.parse(["0", "2*x0 - 3*x1 - 0.25"]).rule(["ants", "bees"])
            ['bees if 2*x0 > 3*x1 + 0.25, otherwise ants']
        """
        return to_rules(self, classes)

    def code_book(self, classes: Sequence[str] = ()) -> CodeBook:
        """Sums as signs: each feature's number once, and which features speak for which class.

        Args:
            classes: A name per output; by default y0, y1, ...

        Raises:
            ValueError: If the formulas are no such sums; see :func:`code_book_of`.

        Example:
            >>> from occamhead import Expression
            >>> print(Expression.parse(["2*x0 + 3*x1", "2*x0 - 1", "1 - 3*x1"]).code_book())
            f0 = 2*x0
            f1 = 3*x1
            <BLANKLINE>
            y0 = f0 + f1
            y1 = f0 - 1
            y2 = -f1 + 1
        """
        return code_book_of(self, classes)

    @classmethod
    def parse(
        cls,
        text: str | Sequence[str],
        num_inputs: int | None = None,
        names: Sequence[str] | None = None,
    ) -> Expression:
        """Read the text of one formula, or of several.

        Args:
            text: Formulas in the syntax that :meth:`text` prints, one string per output.
            num_inputs: Number of inputs; by default as many as the formulas use.
            names: Names of the inputs; by default ``x0``, ``x1``, ...

        Raises:
            ValueError: On bad syntax or an unknown name, with the position in the text.
        """
        return parse(cls, text, num_inputs=num_inputs, names=names)

    def latex(self) -> list[str]:
        """LaTeX of each output, without delimiters."""
        return to_latex(self)

    def sympy(self) -> list[Any]:
        """One sympy expression per output, over real symbols with the input names."""
        return to_sympy(self)

    def python(self, comment: str = "", classes: Sequence[str] = ()) -> str:
        """Source of a module that needs only ``math``: ``scores(x)`` and ``predict(x)``."""
        return to_python(self, comment=comment, classes=classes)

    def to_json(self, classes: Sequence[str] = ()) -> str:
        """Versioned JSON text; :meth:`from_json` gives an equal expression."""
        return to_json(self, classes)

    @classmethod
    def from_json(cls, text: str) -> Expression:
        """Read what :meth:`to_json` wrote; ValueError on another format or version."""
        return from_json(cls, text)

    def draw(
        self,
        path: str | Path,
        titles: Sequence[str] = (),
        deviations: Mapping[int, float] | None = None,
        shape: tuple[int, ...] | None = None,
    ) -> None:
        """Draw the formulas into a picture file; needs matplotlib (``occamhead[recipes]``).

        See :func:`occamhead.expression.formats.drawing.draw`.
        """
        draw(self, path, titles, deviations, shape)


class ExpressionBuilder(GraphBuilder):
    """Builds an expression node by node; equal nodes get one index.

    Example:
        >>> from occamhead.expression import ExpressionBuilder
        >>> builder = ExpressionBuilder()
        >>> x0, x1 = builder.input(0), builder.input(1)
        >>> larger = builder.apply("max", x0, x1)
        >>> str(builder.build([builder.affine(1.0, [(2.0, larger)])], num_inputs=2))
        '2*max(x0, x1) + 1'
    """

    def build(
        self, outputs: Sequence[int], num_inputs: int, names: Sequence[str] | None = None
    ) -> Expression:
        """The expression of these outputs; nodes that none of them uses are left out."""
        return Expression(*self.table(outputs), num_inputs, None if names is None else tuple(names))


def linear_formula(
    coefficients: NDArray[np.float64], intercepts: NDArray[np.float64]
) -> Expression:
    """Weighted sums of all inputs: coefficients [outputs, inputs] and intercepts [outputs]."""
    builder = ExpressionBuilder()
    inputs = [builder.input(i) for i in range(coefficients.shape[1])]
    outputs = [
        builder.affine(float(intercept), list(zip(map(float, row), inputs, strict=True)))
        for row, intercept in zip(coefficients, intercepts, strict=True)
    ]
    return builder.build(outputs, coefficients.shape[1])
