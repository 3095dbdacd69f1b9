"""Run expressions: on numpy arrays, on tensors, and as an ``nn.Module``."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx

from occamhead.expression.derived import Derived, as_leaf
from occamhead.expression.formats.text import to_text
from occamhead.expression.graph import Graph
from occamhead.expression.nodes import Affine, Apply, Constant, Input
from occamhead.expression.operators import get_operator
from occamhead.expression.serving import ServedSums


def evaluate(expression: Graph, x: Any) -> Any:
    """Evaluate an expression on rows.

    Args:
        expression: The formulas.
        x: Tensor or array-like of shape [..., inputs].

    Returns:
        Shape [..., outputs]: a tensor of x's dtype and device for a tensor, else a numpy array.

    Raises:
        ValueError: If the last dimension is not the number of inputs.
    """
    if isinstance(x, Tensor):
        dtype = x.dtype if x.is_floating_point() else torch.get_default_dtype()
        return FormulaModule(expression, dtype, x.device)(x.to(dtype))
    rows = np.asarray(x)
    if rows.dtype != np.float32:
        rows = rows.astype(np.float64, copy=False)
    check_width(expression.num_inputs, rows.shape)
    with np.errstate(all="ignore"):
        columns = evaluate_columns(
            expression,
            [rows[..., i] for i in range(expression.num_inputs)],
            lambda applied, args: applied.numpy(*args),
        )
    filled = [np.broadcast_to(np.asarray(c, rows.dtype), rows.shape[:-1]) for c in columns]
    return np.stack(filled, axis=-1)


def evaluate_columns(
    expression: Graph, inputs: Sequence[Any], apply: Callable[[Any, list[Any]], Any]
) -> list[Any]:
    """Evaluate on columns that broadcast against each other: one value per input and output.

    Args:
        expression: The formulas.
        inputs: One column per input: arrays, tensors, or anything with + and *.
        apply: Called with an :class:`Operator` and its arguments.
    """
    values: list[Any] = []
    like = inputs[0] if inputs else 0.0
    for node in expression.nodes:
        match node:
            case Input(index):
                values.append(inputs[index])
            case Constant(value):
                values.append(value + 0 * _finite_zero(like))
            case Affine(constant, terms):
                scaled = [values[t] if c == 1 else c * values[t] for c, t in terms]
                total = functools.reduce(operator.add, scaled)
                values.append(total + constant if constant else total)
            case Apply(name, children):
                args = [values[child] for child in children]
                values.append(apply(get_operator(name), args))
    return [values[output] for output in expression.outputs]


def _finite_zero(like: Any) -> Any:
    """A zero of the type of `like`, whatever `like` holds."""
    if isinstance(like, Tensor):
        return torch.zeros((), dtype=like.dtype, device=like.device)
    return np.zeros((), dtype=like.dtype) if isinstance(like, np.ndarray) else 0.0


def check_width(num_inputs: int, shape: Sequence[int]) -> None:
    """Raise ValueError unless the last dimension is the number of inputs."""
    if not shape or shape[-1] != num_inputs:
        raise ValueError(
            f"the formula takes {num_inputs} inputs in the last dimension, got shape {tuple(shape)}"
        )


class FormulaModule(Derived):
    """The formulas of an expression as a module: rows [..., inputs] to [..., outputs].

    Its cost grows with the formulas, not with the number of inputs: the sums over inputs, which
    are most of a head's formula, are one gather, one product and one scatter-add, whose terms
    never touch an input that the sum does not name (so that NaN in another input stays out).
    Where nothing but such sums is asked for, call after call on the CPU and without gradients, a
    compiled loop takes over, which gives the same bits in a fraction of the time.
    Autocast is off inside: a formula is not rounded to half precision behind its reader's back.

    Args:
        expression: The formulas.
        dtype: Dtype of the numbers and of the result; None takes torch's default.
        device: Where the numbers are; None takes torch's default.
    """

    columns: Tensor
    coefficients: Tensor
    segments: Tensor
    constants: Tensor

    def __init__(
        self,
        expression: Graph,
        dtype: torch.dtype | None = None,
        device: torch.device | None = None,
    ) -> None:
        super().__init__(dtype, device)
        self.expression = expression
        nodes = expression.nodes
        # A number that is an output is a sum without terms, such as the score 0 of two classes.
        self._sums = [
            position
            for position, node in enumerate(nodes)
            if (isinstance(node, Constant) and position in expression.outputs)
            or (
                isinstance(node, Affine) and all(isinstance(nodes[c], Input) for c in node.children)
            )
        ]
        self._row = {position: row for row, position in enumerate(self._sums)}
        self._only_sums = list(expression.outputs) == self._sums
        self.served: ServedSums | None = None
        self.derived()

    def derive(self) -> None:
        nodes = self.expression.nodes
        columns, coefficients, segments, constants = [], [], [], []
        for row, position in enumerate(self._sums):
            node = nodes[position]
            if isinstance(node, Constant):
                constants.append(node.value)
                continue
            assert isinstance(node, Affine)
            # Nothing to add is -0.0: it leaves the sign of a sum that is zero as it is.
            constants.append(node.constant or -0.0)
            for coefficient, child in node.terms:
                leaf = nodes[child]
                assert isinstance(leaf, Input)
                columns.append(leaf.index)
                coefficients.append(coefficient)
                segments.append(row)
        where = self.device
        self.columns = torch.tensor(columns, dtype=torch.long, device=where)
        self.coefficients = torch.tensor(coefficients, dtype=self.dtype, device=where)
        self.segments = torch.tensor(segments, dtype=torch.long, device=where)
        self.constants = torch.tensor(constants, dtype=self.dtype, device=where)
        self.served = self._serve()

    def forward(self, x: Tensor) -> Tensor:
        if self.served is not None and not torch.compiler.is_compiling():
            sums = self.served(x)
            if sums is not None:
                return sums
        return self.by_operators(x)

    def by_operators(self, x: Tensor) -> Tensor:
        """Evaluate by torch's operators, which gradients, tracing and devices know."""
        if isinstance(x, fx.Proxy):
            return as_leaf(self, x)
        check_width(self.expression.num_inputs, x.shape)
        if torch.is_autocast_enabled(x.device.type):
            with torch.autocast(x.device.type, enabled=False):
                return self._compute(x.to(self.dtype))
        return self._compute(x.to(self.dtype))

    def _serve(self) -> ServedSums | None:
        """What serves these sums on a CPU, if there is nothing else to compute."""
        numbers = self.coefficients, self.segments, self.constants
        served = (
            self._only_sums
            and self.constants.is_cpu
            and self.constants.dtype in (torch.float32, torch.float64)
        )
        return ServedSums(self.expression.num_inputs, self.columns, *numbers) if served else None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "served": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.served = self._serve()

    def _compute(self, x: Tensor) -> Tensor:
        sums = self._weighted_sums(x)
        return sums if self._only_sums else self._rest(x, sums)

    def _weighted_sums(self, x: Tensor) -> Tensor:
        """The sums over inputs, [..., sums]."""
        sums = self.constants.expand(*x.shape[:-1], len(self._sums))
        if not self._sums:
            return sums
        terms = x.index_select(-1, self.columns) * self.coefficients
        return sums.index_add(-1, self.segments, terms)

    def _rest(self, x: Tensor, sums: Tensor) -> Tensor:
        values: list[Tensor] = []
        for position, node in enumerate(self.expression.nodes):
            match node:
                case Input(index):
                    values.append(x[..., index])
                case Constant(value):
                    values.append(torch.full_like(x[..., 0], value))
                case Affine(constant, terms):
                    if position in self._row:
                        values.append(sums[..., self._row[position]])
                    else:
                        total = torch.full_like(x[..., 0], constant or -0.0)
                        for coefficient, child in terms:
                            total = total + coefficient * values[child]
                        values.append(total)
                case Apply(name, children):
                    args = [values[child] for child in children]
                    values.append(get_operator(name).torch(*args))
        return torch.stack([values[output] for output in self.expression.outputs], dim=-1)

    def extra_repr(self) -> str:
        return "; ".join(to_text(self.expression))
