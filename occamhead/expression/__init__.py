"""Formulas as objects: see :class:`Expression`."""

from occamhead.expression.core import Expression, ExpressionBuilder, linear_formula
from occamhead.expression.evaluate import FormulaModule, evaluate, evaluate_columns
from occamhead.expression.nodes import Affine, Apply, Constant, Input, Node
from occamhead.expression.operators import OPERATORS, Operator, get_operator, register_operator
from occamhead.expression.simplify import round_constants, simplify

__all__ = [
    "OPERATORS",
    "Affine",
    "Apply",
    "Constant",
    "Expression",
    "ExpressionBuilder",
    "FormulaModule",
    "Input",
    "Node",
    "Operator",
    "evaluate",
    "evaluate_columns",
    "get_operator",
    "linear_formula",
    "register_operator",
    "round_constants",
    "simplify",
]
