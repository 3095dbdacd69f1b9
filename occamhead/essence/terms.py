"""What differentiae are linear in: the inputs, or formulas of them."""

from __future__ import annotations

from occamhead.expression import Expression, ExpressionBuilder

# Products grow with the square of the number of inputs.
MOST_SQUARED = 64


def quadratic_terms(inputs: int) -> Expression:
    """The inputs, and the products of every two of them, squares included.

    A hyperplane in these is a quadric in the inputs: one in place of many where classes lie
    inside and outside of an ellipse.

    Raises:
        ValueError: If there are more than 64 inputs.
    """
    if inputs > MOST_SQUARED:
        raise ValueError(
            f"quadratic differentiae of {inputs} inputs have {inputs * (inputs + 3) // 2} weights;"
            f" choose at most {MOST_SQUARED} features first, or take linear ones"
        )
    builder = ExpressionBuilder()
    leaves = [builder.input(i) for i in range(inputs)]
    products = [
        builder.apply("mul", leaves[i], leaves[j]) for i in range(inputs) for j in range(i + 1)
    ]
    return builder.build(leaves + products, inputs)
