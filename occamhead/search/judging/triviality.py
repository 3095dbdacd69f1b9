"""Phi: whether a function contains trivial operations (Costa et al. 2021, supplement E.A)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any

import numpy as np
import sympy
from sympy.core.function import AppliedUndef

from occamhead.expression import Affine, Apply, Constant, Input, get_operator
from occamhead.expression.operators import constant_value
from occamhead.network.bases import Basis
from occamhead.search.judging.function import Function, Image, Leaf, images_of, tree_uses

# Points at which an input that has no effect is told from one that has: how many, and where.
PROBES, PROBE_RANGE = 16, (0.01, 1.6)

# Values of a fitted constant at which its basis does next to nothing, and how near is near.
NEAR_TRIVIAL = {"add_constant": (0.0,), "mul_constant": (0.0, 1.0), "pow_constant": (0.0, 1.0)}
NEAR = 0.1


def phi(function: Function, output: int) -> float:
    """Whether an output contains trivial operations, plus its near-trivial fitted constants.

    The first procedure is 1 if sympy makes less of the function than was written down, else 0.
    It goes node by node: sympy evaluates the basis on the forms of its arguments, and the
    operation is trivial if the result lacks a leaf or a function that the parts contain, is 0 or
    1, or was there below. This stands for the paper's equality of forms ("sympyEquals"): order,
    nesting, n-fold terms and factors ((x + x) + (x + x) is 4 x), moved signs (a - (b - c)) and
    folded numbers (1 + 1) lose nothing; x/x, (x y)/x, 1 x and cos(-x) do.

    sympy's automatic evaluation decides, as in the authors' code, and not the paper's
    ``simplify``: that can take for ever, and would punish x^2 + x for being x (x + 1). What it
    alone would find, as in sin(x)^2 + cos(x)^2, is found by values that do not depend on an input
    that the form mentions. A mere change of order costs nothing (0.1 in the code). Of the
    constants C, 0 and 1 are numbers for sympy; the others are symbols, as in the code, so that
    sin(x + pi/2) is no roundabout cos(x). So are fitted constants: that some could be merged is
    left to their count. Comparisons, where, xor, max and min follow their own laws (equal
    branches or sides, repeated or absorbed arguments), since sympy would solve inequalities.

    The second procedure counts the fitted constants that nearly make their basis trivial, each
    once: x + c with |c| < 0.1; c x and x^c with |c| < 0.1 or |c - 1| < 0.1.

    Source: supplement E, section A.
    """
    near = sum(
        any(abs(constant - point) < NEAR for point in NEAR_TRIVIAL.get(image.basis.name, ()))
        for image, _ in images_of(function, output)
        for constant in image.constants
    )
    return float(_is_trivial(_structure(function, output)) + near)


def _structure(function: Function, output: int) -> Function:
    """The part of a function that an output reaches, with stand-ins for fitted constants."""
    numbers: dict[int, int] = {}
    nodes: list[Leaf | Image] = []
    for number, uses in enumerate(tree_uses(function, output)):
        if uses:
            node = function.nodes[number]
            if isinstance(node, Image):
                children = tuple(numbers[child] for child in node.children)
                constants = tuple(1.37 + 0.29 * i for i in range(len(node.constants)))
                node = replace(node, children=children, constants=constants)
            numbers[number] = len(nodes)
            nodes.append(node)
    return Function(tuple(nodes), (len(nodes) - 1,), function.num_inputs, function.leaf_constants)


@lru_cache(maxsize=2**14)
def _is_trivial(function: Function) -> bool:
    forms: list[Any] = []
    contents: list[Counter[Any]] = []
    below: list[set[Any]] = []
    for number, node in enumerate(function.nodes):
        seen = set[Any]().union(*(below[child] for child in node.children))
        if isinstance(node, Leaf):
            form = _leaf_form(function, node.index)
            content = _parts(form)
        else:
            constants = [_symbol(f"c{number}_{i}") for i in range(len(node.constants))]
            form = _basis_form(node.basis, [*(forms[child] for child in node.children), *constants])
            inside = [*(contents[child] for child in node.children), *map(_parts, constants)]
            uses, own = _own_parts(node.basis)
            expected = sum(map(_times, inside, uses), own)
            lost = expected - _parts(form, copies=True)
            if form.is_Add and any(map(_is_negative, form.args)):
                del lost[SIGN]  # a sum carries the sign of a term: (-a) + b is b - a
            given_back = node.basis.name != "identity" and (form in seen or form in (0, 1))
            if lost or given_back or form.has(sympy.zoo, sympy.nan):
                return True
            content = _parts(form)
            # sympy writes sin(b - a) as -sin(a - b); such a sign is nobody's.
            content[SIGN] = min(content[SIGN], expected[SIGN])
        forms.append(form)
        contents.append(content)
        below.append(seen | {form})
    return _hides_an_input(function, forms)


def _hides_an_input(function: Function, forms: list[Any]) -> bool:
    """Whether an input that some node's form mentions has no effect on its values.

    Asked of numbers, at points of many magnitudes: ``sympy.simplify`` can take minutes, or for
    ever, on a small tree. Comparisons and the like may be flat at all of the points and are left
    to their own laws.
    """
    # What is mentioned once can vanish in automatic evaluation only.
    often = {leaf for leaf, count in _parts(forms[-1]).items() if count > 1}
    leaves = {node.index for node in function.nodes if isinstance(node, Leaf)}
    inputs = [i for i in leaves if i < function.num_inputs and _symbol(f"x{i}") in often]
    if not inputs:
        return False
    low, high = map(math.log, PROBE_RANGE)
    points = np.exp(np.random.default_rng(0).uniform(low, high, (PROBES, function.num_inputs)))
    moved = np.repeat(points[None], len(inputs), axis=0)
    moved[range(len(inputs)), :, inputs] *= 1.5
    every = replace(function, roots=tuple(range(len(forms)))).expression()
    still = np.isclose(every(moved), every(points), rtol=1e-9, atol=1e-9).all(axis=1)
    for number, form in enumerate(forms):
        suspects = {_symbol(f"x{inputs[row]}") for row in np.flatnonzero(still[:, number])}
        if suspects & form.free_symbols and not form.has(AppliedUndef):
            return True
    return False


# --- forms: a node as sympy evaluates it -------------------------------------------------------

EVALUATED = ("mul", "div", "pow", "abs", "sin", "cos", "exp", "log", "tanh")
COMPARISONS = ("le", "lt", "ge", "gt", "eq", "ne", "xor")
LATTICE = {"max": "min", "min": "max"}


def _symbol(name: str) -> Any:
    return sympy.Symbol(name, real=True)


def _number(value: float) -> Any:
    return sympy.Integer(int(value)) if value == int(value) else _symbol(repr(value))


def _leaf_form(function: Function, index: int) -> Any:
    if index < function.num_inputs:
        return _symbol(f"x{index}")
    value = function.leaf_constants[index - function.num_inputs]
    return _number(value) if value in (0, 1) else _symbol(repr(value))


def _basis_form(basis: Basis, arguments: Sequence[Any]) -> Any:
    """A basis on the forms of its arguments and constants."""
    forms: list[Any] = []
    for node in basis.formula.nodes:
        match node:
            case Input(index):
                forms.append(arguments[index])
            case Constant(value):
                forms.append(_number(value))
            case Affine(constant, terms):
                scaled = [_number(coefficient) * forms[child] for coefficient, child in terms]
                forms.append(sympy.Add(_number(constant), *scaled))
            case Apply(name, children):
                forms.append(_operator_form(name, [forms[child] for child in children]))
    return forms[basis.formula.outputs[0]]


def _operator_form(name: str, arguments: list[Any]) -> Any:
    if name in EVALUATED:
        return get_operator(name).sympy(sympy, *arguments)
    opaque = sympy.Function(name, real=True)
    if name in COMPARISONS and arguments[0] == arguments[1]:
        return sympy.Integer(int(constant_value(name, (0.0, 0.0))))
    if name == "where":
        condition, *branches = arguments
        if condition.is_Integer or branches[0] == branches[1]:
            return branches[0 if condition != 0 else 1]
    if name in LATTICE:
        dual = sympy.Function(LATTICE[name], real=True)
        flat = {part for a in arguments for part in (a.args if a.func == opaque else (a,))}
        kept = {part for part in flat if not (part.func == dual and flat & set(part.args))}
        return opaque(*sorted(kept, key=str)) if len(kept) > 1 else kept.pop()
    return opaque(*arguments)


# --- parts: what a form contains ---------------------------------------------------------------

SIGN = "-"


@cache
def _own_parts(basis: Basis) -> tuple[tuple[int, ...], Counter[Any]]:
    """How often a basis uses each argument and constant, and the functions that it adds."""
    arguments = [_symbol(f"a{i}") for i in range(basis.arity + basis.num_constants)]
    form = _basis_form(basis, arguments)
    parts = _parts(form)
    uses = tuple(parts.pop(argument, 0) for argument in arguments)
    if form not in (-arguments[0], sympy.Abs(arguments[0])):
        # The minus of a difference and the absolute value in a logarithm are no operations.
        del parts[SIGN], parts[sympy.Abs]
    return uses, parts


def _parts(form: Any, copies: bool = False) -> Counter[Any]:
    """Leaves and functions of a form, those of n-fold terms and factors n times.

    Whole numbers are no parts. A sum has a sign only if all of its terms are negative. Read 2 a/b
    as (a + a)/b, which has fewer parts, or with `copies` as a/b + a/b.
    """
    terms = form.args if form.is_Add else (form,)
    total = Counter({SIGN: int(all(map(_is_negative, terms)))})
    for term in () if form.is_Rational else terms:
        coefficient, product = term.as_coeff_Mul(rational=True)
        above, below = int(abs(coefficient.p)), int(coefficient.q)
        if copies:
            above = below = above * below
        for factor in product.args if product.is_Mul else (product,):
            base, exponent = factor.as_base_exp()
            for power in exponent.args if exponent.is_Add else (exponent,):
                count, symbolic = power.as_coeff_Mul(rational=True)
                parts = _base_parts(base) + _parts(symbolic)
                parts[SIGN] += int(symbolic != 1 and _is_negative(count))
                times = below if symbolic == 1 and _is_negative(count) else above
                total += _times(parts, times * int(abs(count.p)))
    return total


def _base_parts(base: Any) -> Counter[Any]:
    if base.is_Rational:
        return Counter()
    if base.is_Atom:
        return Counter({base: 1})
    if not base.is_Function:
        return _parts(base)
    # Nested max and min are one, so how many there are says nothing.
    own = Counter({base.func: int(str(base.func) not in LATTICE)})
    return sum(map(_parts, base.args), own)


def _times(parts: Counter[Any], count: int) -> Counter[Any]:
    """Parts of n copies; a sign counts once, as that of (-x)^3 does."""
    return Counter({p: number if p == SIGN else count * number for p, number in parts.items()})


def _is_negative(form: Any) -> bool:
    return bool(form.as_coeff_Mul(rational=True)[0] < 0)
