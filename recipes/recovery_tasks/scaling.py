"""Rows in units that single precision can hold, for methods that have nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from occamhead import Expression
from occamhead.expression import ExpressionBuilder
from occamhead.expression.nodes import Affine, Apply, Constant, Input
from recipes.others.regressors import Fitted, Method
from recipes.shared.rows import Part

USUAL = (1e-3, 1e3)  # values of this size are left as they are


def scaled(method: Method) -> Method:
    """The method on columns and targets divided by the power of ten next to their median size.

    Its formula is given back over the columns as they were. Columns of usual size stay as they
    are, so that a power or a sine of them is not made harder to find.
    """

    def fit(train: Part, validation: Part, seconds: float, seed: int) -> Fitted:
        x, y = train
        units = np.array([size_of(column) for column in x.T])
        unit = size_of(y)
        parts = [(a / units, b / unit) for a, b in (train, validation)]
        fitted = method(parts[0], parts[1], seconds, seed)
        formula = fitted.expression
        if formula is not None:
            formula = in_units(formula, units.tolist(), unit)
        return replace(
            fitted,
            predict=lambda rows: fitted.predict(rows / units) * unit,
            formula=fitted.formula if formula is None else str(formula),
            expression=formula,
        )

    return fit


def size_of(values: np.ndarray) -> float:
    """The power of ten next to the median size of values; 1 where it is usual, or 0."""
    size = float(np.median(np.abs(values)))
    if size == 0 or USUAL[0] <= size <= USUAL[1]:
        return 1.0
    return float(10.0 ** round(np.log10(size)))


def in_units(formula: Expression, units: Sequence[float], unit: float) -> Expression:
    """``unit * formula(x / units)``, for a formula of one output."""
    builder = ExpressionBuilder()
    made: list[int] = []
    for node in formula.nodes:
        match node:
            case Input(index):
                made.append(builder.affine(0.0, [(1 / units[index], builder.input(index))]))
            case Constant(value):
                made.append(builder.constant(value))
            case Affine(constant, terms):
                made.append(builder.affine(constant, [(c, made[child]) for c, child in terms]))
            case Apply(operator, children):
                made.append(builder.apply(operator, *(made[child] for child in children)))
    output = builder.affine(0.0, [(unit, made[formula.outputs[0]])])
    return builder.build([output], formula.num_inputs, formula.names)
