"""The operators that a formula may apply, each with every form that a reader of formulas needs.

One table, ``OPERATORS``: how an operator is computed (torch, numpy, plain Python), how it reads
(text, LaTeX) and what it is for sympy. ``//`` and ``%`` round down as in Python: ``a // b`` is
``floor(a / b)`` and ``a % b`` is ``a - b * (a // b)``, exact for whole numbers that the dtype holds
with a bit to spare (2**52 in float64, 2**23 in float32); by zero ``//`` is what ``/`` is there, and
``%`` is NaN. ``choose(index, a, b, ...)`` is the choice with this number, a for 0 and b for 1, and
NaN where there is no choice with it. Sums are not here: a weighted sum is a node type of its own
(:class:`occamhead.expression.Affine`), because most formulas of a head consist of little else.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from occamhead.checks import unknown_name

# Guards of the soft network: far outside what standardised features reach, far inside float32.
SMALLEST_DIVISOR = 1e-6
LARGEST_EXPONENT = 30.0

NUMBER, CONDITION = "number", "condition"


@dataclass(frozen=True)
class Operator:
    """A function that a formula applies to its arguments, elementwise.

    Args:
        name: Name in text, JSON and the registry; a Python identifier.
        arity: Number of arguments, or None for "two or more".
        torch: Exact form on tensors of one shape; IEEE results (inf, NaN) where undefined.
        numpy: The same on arrays.
        python: Expression template over ``{0}``, ``{1}``, ... (or ``{args}``) that uses at most
            ``math`` and the names in `helpers`.
        helpers: Source of each function that `python` calls and Python lacks.
        sympy: Builds the sympy form; called with the sympy module, then the arguments.
        latex: LaTeX template over ``{0}``, ... or ``{args}``; None for a named function.
        soft: Guarded torch form with finite values and gradients at the singular points, used
            while training; equal to `torch` away from them. None where `torch` is safe.
        commutative: Whether the order of the arguments is immaterial.
        kind: ``"condition"`` if the result is a truth value, written as 1.0 or 0.0.
        infix: Symbol printed between two arguments, if any.
    """

    name: str
    arity: int | None
    torch: Callable[..., Tensor]
    numpy: Callable[..., np.ndarray]
    python: str
    sympy: Callable[..., Any]
    latex: str | None = None
    helpers: tuple[str, ...] = ()
    soft: Callable[..., Tensor] | None = None
    commutative: bool = False
    kind: str = NUMBER
    infix: str | None = None

    @property
    def is_reduction(self) -> bool:
        """Whether it of many arguments is a chain of it of two, as of max and min."""
        return self.arity is None and self.commutative

    def check_arity(self, count: int) -> None:
        """Raise ValueError unless the operator takes `count` arguments."""
        if count != self.arity if self.arity is not None else count < 2:
            wanted = self.arity if self.arity is not None else "two or more"
            raise ValueError(f"operator {self.name!r} takes {wanted} arguments, got {count}")


OPERATORS: dict[str, Operator] = {}


def register_operator(operator: Operator) -> Operator:
    """Add an operator, so that formulas, the parser and every exporter know it.

    Raises:
        ValueError: If the name is taken by another operator or is no identifier, or if an infix
            symbol is given: the grammar has its own and takes no more.
    """
    if not operator.name.isidentifier():
        raise ValueError(f"operator name {operator.name!r} is not an identifier")
    if operator.infix is not None:
        raise ValueError(f"operator {operator.name!r} cannot have the infix {operator.infix!r}")
    return _register(operator)


def _register(operator: Operator) -> Operator:
    if OPERATORS.setdefault(operator.name, operator) is not operator:
        raise ValueError(f"operator {operator.name!r} exists already; choose another name")
    return operator


def get_operator(name: str) -> Operator:
    """Look an operator up by name; the error of an unknown one lists near names."""
    if name not in OPERATORS:
        raise ValueError(unknown_name("operator", name, OPERATORS))
    return OPERATORS[name]


# --- exact forms that need more than one call ------------------------------------------------


def _truth(condition: Tensor, like: Tensor) -> Tensor:
    return condition.to(like.dtype)


def _torch_comparison(compare: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    return lambda a, b: _truth(compare(a, b), a)


def _numpy_comparison(compare: Callable[..., Any]) -> Callable[..., np.ndarray]:
    return lambda a, b: np.asarray(compare(a, b)).astype(np.result_type(a, b))


def _numpy_sigmoid(a: np.ndarray) -> np.ndarray:
    small = np.exp(-np.abs(a))  # at most 1, and exact far out at the left
    return np.where(a >= 0, 1.0, small) / (1.0 + small)


def _numpy_where(condition: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.where(condition != 0, a, b)


def _torch_choose(index: Tensor, *choices: Tensor) -> Tensor:
    chosen = torch.full_like(index, math.nan)
    for number, choice in enumerate(choices):
        chosen = torch.where(index == number, choice, chosen)
    return chosen


def _numpy_choose(index: np.ndarray, *choices: np.ndarray) -> np.ndarray:
    return np.select([index == number for number in range(len(choices))], choices, math.nan)


def _torch_floor_divided(a: Tensor, b: Tensor) -> Tensor:
    return torch.floor(a / b)


def _floor_divided(a: Any, b: Any) -> Any:
    return np.floor(np.divide(a, b))


def _residue(floor_divided: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """The remainder that belongs to a quotient.

    Written so, and not by a library's remainder, it is the same in every language: C and SQL
    truncate towards zero where Python rounds down.
    """
    return lambda a, b: a - b * floor_divided(a, b)


def _reduce(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args: functools.reduce(function, args)


# --- guarded forms of the soft network -------------------------------------------------------


def _away_from_zero(a: Tensor) -> Tensor:
    tiny = torch.full_like(a, SMALLEST_DIVISOR)
    return torch.where(a.abs() < SMALLEST_DIVISOR, torch.where(a < 0, -tiny, tiny), a)


def _soft_div(a: Tensor, b: Tensor) -> Tensor:
    # The guard precedes the division: guarding the quotient would leave a NaN gradient.
    return a / _away_from_zero(b)


def _soft_floor_divided(a: Tensor, b: Tensor) -> Tensor:
    return torch.floor(_soft_div(a, b))


def _soft_choose(index: Tensor, *choices: Tensor) -> Tensor:
    return _torch_choose(index.round().clamp(0, len(choices) - 1), *choices)


def _soft_exp(a: Tensor) -> Tensor:
    return torch.exp(a.clamp(-LARGEST_EXPONENT, LARGEST_EXPONENT))


def _soft_log(a: Tensor) -> Tensor:
    return torch.log(a.clamp_min(SMALLEST_DIVISOR))


def _soft_pow(a: Tensor, b: Tensor) -> Tensor:
    # A real power of a negative number is defined for whole exponents only. Where it is not, the
    # power of the magnitude keeps the network finite; the formula itself has NaN there.
    magnitude = torch.exp((b * _soft_log(a.abs())).clamp(-LARGEST_EXPONENT, LARGEST_EXPONENT))
    odd = torch.remainder(b, 2) == 1
    return torch.where((a < 0) & odd, -magnitude, magnitude)


# --- functions that Python's math lacks, with IEEE results instead of exceptions ----------------

_HELPERS = {
    "_div": """def _div(a, b):
    if b != 0:
        return a / b
    if a == 0 or a != a or b != b:
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1.0, b)""",
    "_floor": """def _floor(a):
    return float(math.floor(a)) if a and math.isfinite(a) else a""",
    "_mod": """def _mod(a, b):
    return a - b * _floor(_div(a, b))""",
    "_choose": """def _choose(index, *choices):
    return choices[int(index)] if index in range(len(choices)) else math.nan""",
    "_exp": """def _exp(a):
    try:
        return math.exp(a)
    except OverflowError:
        return math.inf""",
    "_log": """def _log(a):
    if a > 0:
        return math.log(a)
    return -math.inf if a == 0 else math.nan""",
    "_sin": """def _sin(a):
    return math.sin(a) if math.isfinite(a) else math.nan""",
    "_cos": """def _cos(a):
    return math.cos(a) if math.isfinite(a) else math.nan""",
    "_pow": """def _pow(a, b):
    try:
        return math.pow(a, b)
    except OverflowError:
        return -math.inf if a < 0 and b % 2 == 1 else math.inf
    except ValueError:
        if a != 0:
            return math.nan
        return math.copysign(math.inf, a) if b % 2 == 1 else math.inf""",
    "_max": """def _max(*values):
    return math.nan if any(v != v for v in values) else max(values)""",
    "_min": """def _min(*values):
    return math.nan if any(v != v for v in values) else min(values)""",
    "_sigmoid": """def _sigmoid(a):
    small = math.exp(-abs(a))
    return (1.0 if a >= 0 else small) / (1.0 + small)""",
}


def _add(name: str, arity: int | None, torch_form: Any, numpy_form: Any, **rest: Any) -> None:
    # Helpers that are called by others stand before these.
    called = rest["python"]
    for key in reversed(_HELPERS):
        called += _HELPERS[key] if f"{key}(" in called else ""
    rest["helpers"] = tuple(text for key, text in _HELPERS.items() if f"{key}(" in called)
    _register(Operator(name, arity, torch_form, numpy_form, **rest))


def _add_comparison(name: str, symbol: str, latex: str, relation: str) -> None:
    _add(
        name,
        2,
        _torch_comparison(getattr(torch, name)),
        _numpy_comparison(
            {"le": np.less_equal, "lt": np.less, "ge": np.greater_equal, "gt": np.greater,
             "eq": np.equal, "ne": np.not_equal}[name]
        ),
        python="float({0} " + symbol + " {1})",
        sympy=lambda sp, a, b: getattr(sp, relation)(a, b),
        latex="{0} " + latex + " {1}",
        kind=CONDITION,
        infix=symbol,
        commutative=name in ("eq", "ne"),
    )  # fmt: skip


_add("mul", 2, torch.mul, np.multiply, python="{0} * {1}", infix="*", commutative=True,
     latex="{0} \\, {1}", sympy=lambda sp, a, b: sp.Mul(a, b))  # fmt: skip
_add("div", 2, torch.div, np.divide, python="_div({0}, {1})", infix="/", soft=_soft_div,
     latex="\\frac{{{0}}}{{{1}}}", sympy=lambda sp, a, b: sp.Mul(a, sp.Pow(b, -1)))  # fmt: skip
_add("floordiv", 2, _torch_floor_divided, _floor_divided, python="_floor(_div({0}, {1}))",
     infix="//", soft=_soft_floor_divided,
     latex="\\left\\lfloor \\frac{{{0}}}{{{1}}} \\right\\rfloor",
     sympy=lambda sp, a, b: sp.floor(sp.Mul(a, sp.Pow(b, -1))))  # fmt: skip
_add("mod", 2, _residue(_torch_floor_divided), _residue(_floor_divided), python="_mod({0}, {1})",
     infix="%", soft=_residue(_soft_floor_divided), latex="{0} \\;\\mathrm{{mod}}\\; {1}",
     sympy=lambda sp, a, b: a - sp.Mul(b, sp.floor(sp.Mul(a, sp.Pow(b, -1)))))  # fmt: skip
_add("pow", 2, torch.pow, np.power, python="_pow({0}, {1})", infix="**", soft=_soft_pow,
     latex="{0}^{{{1}}}", sympy=lambda sp, a, b: sp.Pow(a, b))  # fmt: skip
_add("abs", 1, torch.abs, np.abs, python="abs({0})", latex="\\left|{0}\\right|",
     sympy=lambda sp, a: sp.Abs(a))  # fmt: skip
_add("sin", 1, torch.sin, np.sin, python="_sin({0})", sympy=lambda sp, a: sp.sin(a))
_add("cos", 1, torch.cos, np.cos, python="_cos({0})", sympy=lambda sp, a: sp.cos(a))
_add("exp", 1, torch.exp, np.exp, python="_exp({0})", soft=_soft_exp,
     sympy=lambda sp, a: sp.exp(a))  # fmt: skip
_add("log", 1, torch.log, np.log, python="_log({0})", soft=_soft_log,
     sympy=lambda sp, a: sp.log(a))  # fmt: skip
_add("tanh", 1, torch.tanh, np.tanh, python="math.tanh({0})", sympy=lambda sp, a: sp.tanh(a))
_add("sigmoid", 1, torch.sigmoid, _numpy_sigmoid, python="_sigmoid({0})",
     latex="\\sigma\\left({0}\\right)", sympy=lambda sp, a: 1 / (1 + sp.exp(-a)))  # fmt: skip
_add("max", None, _reduce(torch.maximum), _reduce(np.maximum), python="_max({args})",
     commutative=True, sympy=lambda sp, *args: sp.Max(*args))  # fmt: skip
_add("min", None, _reduce(torch.minimum), _reduce(np.minimum), python="_min({args})",
     commutative=True, sympy=lambda sp, *args: sp.Min(*args))  # fmt: skip
_add_comparison("le", "<=", "\\leq", "Le")
_add_comparison("lt", "<", "<", "Lt")
_add_comparison("ge", ">=", "\\geq", "Ge")
_add_comparison("gt", ">", ">", "Gt")
_add_comparison("eq", "==", "=", "Eq")
_add_comparison("ne", "!=", "\\ne", "Ne")
_add("xor", 2, lambda a, b: _truth((a != 0) ^ (b != 0), a),
     _numpy_comparison(lambda a, b: (a != 0) ^ (b != 0)), commutative=True, kind=CONDITION,
     python="float(({0} != 0) != ({1} != 0))", latex="{0} \\oplus {1}",
     sympy=lambda sp, a, b: sp.Xor(sp.Ne(a, 0), sp.Ne(b, 0)))  # fmt: skip
_add("where", 3, lambda condition, a, b: torch.where(condition != 0, a, b), _numpy_where,
     python="({1} if {0} else {2})",
     sympy=lambda sp, condition, a, b: sp.Piecewise((a, condition), (b, True)))  # fmt: skip
_add("choose", None, _torch_choose, _numpy_choose, python="_choose({args})", soft=_soft_choose,
     sympy=lambda sp, index, *choices: sp.Piecewise(
         *((choice, sp.Eq(index, number)) for number, choice in enumerate(choices)),
         (sp.nan, True)))  # fmt: skip


def constant_value(name: str, values: tuple[float, ...]) -> float:
    """The operator applied to plain numbers, in float64."""
    with np.errstate(all="ignore"):
        result = float(OPERATORS[name].numpy(*(np.float64(value) for value in values)))
    return result if math.isfinite(result) else math.nan
