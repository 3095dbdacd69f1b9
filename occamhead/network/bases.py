"""The basis functions Phi: what the images sublayers of an OccamNet compute.

A basis is a formula over its arguments and its free constants, written in the text syntax of
:mod:`occamhead.expression`. Everything else follows from that one line: the torch form that the
soft network trains, the numpy form, sympy, LaTeX and the printed text. A user adds one likewise::

    register_basis("bump", "exp(-(x - c)**2)", args="x", constants={"c": 0.0})
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from occamhead.checks import unknown_name
from occamhead.expression import Expression, Operator, evaluate_columns
from occamhead.network.basis_sets import BASIS_SETS


@dataclass(frozen=True)
class Basis:
    """A basis function: a formula over `arity` arguments and some free constants.

    Args:
        name: Name in the registry, in configurations and checkpoints.
        formula: One output; its inputs are the arguments, then the constants.
        arity: Number of arguments alpha(phi) (supplement A).
        start: Initial value of each free constant.
        reduce: Faster torch form of the same function: arguments [..., arity] and constants
            [..., num_constants] to [...]; None runs the formula.
        of_sum: Torch form of the function as one of a single sum s: of ``c0 + c1 x0 + c2 x1 + ...``
            where it has constants, one more than arguments, else of ``x0 + x1 + ...``. A soft
            network then needs s alone and not the arguments. None if it is no such function.
    """

    name: str
    formula: Expression
    arity: int
    start: tuple[float, ...] = ()
    reduce: Callable[[Tensor, Tensor], Tensor] | None = field(
        default=None, compare=False, repr=False
    )
    of_sum: Callable[[Tensor], Tensor] | None = field(default=None, compare=False, repr=False)

    @property
    def num_constants(self) -> int:
        return len(self.start)

    def __reduce__(self) -> tuple[Callable[..., Basis], tuple[Any, ...]]:
        # Pickled and copied by name: code stays in the library, so a file never carries any. One
        # of a user's own brings its formula, which is data, to processes that do not know it.
        if is_own(self):
            return _restored, (self.name, self.formula, self.arity, self.start)
        return get_basis, (self.name,)

    def __call__(
        self, args: Tensor, constants: Tensor | None = None, *, soft: bool = False
    ) -> Tensor:
        """Compute the basis elementwise.

        Args:
            args: Arguments, shape [..., arity].
            constants: Free constants, shape [..., num_constants], broadcast against `args`.
            soft: Use the guarded forms, finite with finite gradients at the singular points.

        Returns:
            Shape [...].
        """
        if args.shape[-1] != self.arity:
            raise ValueError(
                f"basis {self.name!r} takes {self.arity} arguments, got {args.shape[-1]}"
            )
        if constants is None:
            constants = args.new_empty(0)
        if self.reduce is not None:
            return self.reduce(args, constants)
        if self.of_sum is not None:
            return self.of_sum(_weighted(args, constants) if self.start else args.sum(-1))
        columns = [*args.unbind(-1), *(constants.unbind(-1) if self.start else ())]

        def apply(operator: Operator, values: list[Any]) -> Tensor:
            form = operator.soft if soft and operator.soft else operator.torch
            return form(*torch.broadcast_tensors(*(torch.as_tensor(v).to(args) for v in values)))

        (result,) = evaluate_columns(self.formula, columns, apply)
        return result.expand(args.shape[:-1]) if result.shape != args.shape[:-1] else result


BASES: dict[str, Basis] = {}


def register_basis(
    name: str,
    formula: str,
    args: str = "x y",
    constants: Mapping[str, float] | None = None,
    reduce: Callable[[Tensor, Tensor], Tensor] | None = None,
    of_sum: Callable[[Tensor], Tensor] | None = None,
) -> Basis:
    """Add a basis function to the library.

    Args:
        name: Its name; must be new.
        formula: Text of the function, see :meth:`Expression.parse`.
        args: Names of the arguments, separated by spaces.
        constants: Free constants by name, with the value at which training starts.
        reduce, of_sum: See :class:`Basis`.

    Raises:
        ValueError: If the name is taken, the arguments are none or the formula does not parse, or
            the constants do not suit `of_sum`.
    """
    if name in BASES:
        raise ValueError(f"basis {name!r} exists already; choose another name")
    names, constants = args.split(), constants or {}
    if unfit := [c for c in constants.values() if not math.isfinite(c)]:
        raise ValueError(f"basis {name!r}: constants must start at finite numbers, got {unfit[0]}")
    if not names:
        raise ValueError(f"basis {name!r} needs at least one argument, got args={args!r}")
    if of_sum is not None and len(constants) not in (0, len(names) + 1):
        raise ValueError(
            f"basis {name!r}: a function of one sum has no constants, or one per argument and one"
            f" to add; got {len(constants)} for {len(names)} arguments"
        )
    parsed = Expression.parse(formula, names=[*names, *constants])
    start = tuple(float(c) for c in constants.values())
    basis = Basis(name, parsed, len(names), start, reduce, of_sum)
    BASES[name] = basis
    return basis


def is_own(basis: Basis) -> bool:
    """Whether a user registered it: the library neither holds it nor makes it."""
    match = re.fullmatch(r"([a-z_]+)([1-9][0-9]*)", basis.name)
    return basis.name not in _LIBRARY and not (match and match[1] in FAMILIES)


def _restored(name: str, formula: Expression, arity: int, start: tuple[float, ...]) -> Basis:
    """The basis of a name, registered if it is not there yet.

    Raises:
        ValueError: If another basis has this name.
    """
    basis = BASES.setdefault(name, Basis(name, formula, arity, start))
    if basis != Basis(name, formula, arity, start):
        raise ValueError(
            f"the pickled basis {name!r} is {formula}, but {name!r} is registered here as"
            f" {basis.formula}; give one of them another name"
        )
    return basis


# --- families: one basis per number of arguments -----------------------------------------------


def _weighted(args: Tensor, constants: Tensor) -> Tensor:
    return (args * constants[..., 1:]).sum(-1) + constants[..., 0]


def _names(arity: int) -> list[str]:
    return [f"x{i}" for i in range(arity)]


@dataclass(frozen=True)
class BasisFamily:
    """A basis for every number of arguments.

    Args:
        formula: The formula, with ``{args}`` where the arguments stand, or ``{sum}`` where their
            weighted sum c0 + c1 x0 + ... stands.
        separator: What stands between arguments.
        fewest: Fewest arguments.
        reduce, of_sum: See :class:`Basis`.
    """

    formula: str
    separator: str = ", "
    fewest: int = 1
    reduce: Callable[[Tensor, Tensor], Tensor] | None = None
    of_sum: Callable[[Tensor], Tensor] | None = None

    def register(self, name: str, arity: int) -> Basis:
        """Add the member of this number of arguments to the library."""
        if arity < self.fewest:
            raise ValueError(f"basis {name!r} needs two or more arguments")
        names, constants = _names(arity), {}
        terms = names
        if "{sum}" in self.formula:
            constants = {"c0": 0.0, **{f"c{i}": 1.0 for i in range(1, arity + 1)}}
            terms = [f"{x}*{c}" for x, c in zip(names, list(constants)[1:], strict=True)] + ["c0"]
        formula = self.formula.format(args=self.separator.join(names), sum=" + ".join(terms))
        return register_basis(name, formula, " ".join(names), constants, self.reduce, self.of_sum)


# "affine16" is c0 + c1 x1 + ... + c16 x16: the sparse sum that a head's class score is by default.
FAMILIES = {
    "add": BasisFamily("{args}", " + ", of_sum=lambda total: total),
    "max": BasisFamily("max({args})", fewest=2, reduce=lambda args, _: args.amax(-1)),
    "min": BasisFamily("min({args})", fewest=2, reduce=lambda args, _: args.amin(-1)),
    "affine": BasisFamily("{sum}", of_sum=lambda total: total),
    "tanh_affine": BasisFamily("tanh({sum})", of_sum=torch.tanh),
    "hinge_affine": BasisFamily("max({sum}, 0)", of_sum=torch.relu),
}

# The paper's symbols, for those who copy its tables.
ALIASES = {
    "+": "add", "-": "sub", "*": "mul", "/": "div", "<=": "if_le", "id": "identity",
    "+c": "add_constant", "*c": "mul_constant", "^c": "pow_constant",
    "+4": "add4", "+9": "add9", "tanh'": "tanh10", "sigmoid'": "sigmoid10",
}  # fmt: skip


def get_basis(basis: str | Basis) -> Basis:
    """Look a basis up by its name, an alias of it, or a family name with a number.

    Raises:
        ValueError: If the name is unknown; the message lists near names.
    """
    if isinstance(basis, Basis):
        return basis
    name = ALIASES.get(basis, basis)
    if name not in BASES:
        match = re.fullmatch(r"([a-z_]+)([1-9][0-9]*)", name)
        if match and match[1] in FAMILIES:
            return FAMILIES[match[1]].register(name, int(match[2]))
        known = [*BASES, *ALIASES, *(f"{family}4" for family in FAMILIES)]
        raise ValueError(unknown_name("basis", name, known))
    return BASES[name]


def get_bases(bases: str | Iterable[str | Basis]) -> tuple[Basis, ...]:
    """The bases of a named set (see :data:`BASIS_SETS`), or of a sequence of names.

    Raises:
        ValueError: If a name is unknown or there is no basis.
    """
    if isinstance(bases, str):
        if bases in BASIS_SETS:
            return get_bases(BASIS_SETS[bases].bases)
        try:
            return (get_basis(bases),)
        except ValueError as error:
            raise ValueError(f"{error}; named sets: {', '.join(BASIS_SETS)}") from error
    result = tuple(get_basis(basis) for basis in bases)
    if not result:
        raise ValueError("at least one basis is needed, got none")
    return result


# --- the library: every basis of the paper and its supplement ---------------------------------

for _name, _formula, _args in [
    ("add", "x + y", "x y"),
    ("sub", "x - y", "x y"),
    ("mul", "x*y", "x y"),
    ("div", "x/y", "x y"),
    ("pow", "x**y", "x y"),
    ("identity", "x", "x"),
    ("neg", "-x", "x"),
    ("square", "x**2", "x"),
    ("cube", "x**3", "x"),
    ("sin", "sin(x)", "x"),
    ("cos", "cos(x)", "x"),
    ("exp", "exp(x)", "x"),
    ("log_abs", "log(abs(x))", "x"),
    ("abs", "abs(x)", "x"),
    ("tanh", "tanh(x)", "x"),
    ("sigmoid", "sigmoid(x)", "x"),
    ("tanh10", "tanh(10*x)", "x"),  # the tanh' of Phi_A
    ("sigmoid10", "sigmoid(10*x)", "x"),  # the SIGMOID' of Phi_A
    ("max", "max(x, y)", "x y"),
    ("min", "min(x, y)", "x y"),
    ("xor", "xor(x, y)", "x y"),
    # The paper's four-argument "<=" (supplement G) and its other comparisons: the paper's code
    # blends both branches in a steep sigmoid; here a tie takes the branch that the sign names.
    ("if_le", "a if x <= y else b", "x y a b"),
    ("if_lt", "a if x < y else b", "x y a b"),
    ("if_ge", "a if x >= y else b", "x y a b"),
    ("if_gt", "a if x > y else b", "x y a b"),
    ("if_eq", "a if x == y else b", "x y a b"),
    ("if_ne", "a if x != y else b", "x y a b"),
]:
    register_basis(_name, _formula, _args)

register_basis("add_constant", "x + c", "x", {"c": 0.5})
register_basis("mul_constant", "x*c", "x", {"c": 1.0})
register_basis("pow_constant", "x**c", "x", {"c": 1.0})

_LIBRARY = frozenset(BASES)


def arity_of(bases: Sequence[Basis]) -> int:
    """Number of arguments M of an arguments sublayer below these bases (supplement A, eq. 5)."""
    return sum(basis.arity for basis in bases)
