"""How large a formula may be that is read from a text or a file, or written out.

A formula is a table in which parts are shared, so that few bytes can stand for a text of any
length; and what others wrote need not be what a person, or this package, would write. What is over
a bound is refused before the work begins.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection

from occamhead.expression.graph import Graph
from occamhead.expression.nodes import Affine, Apply, Constant

# Characters of a formula's text, or of its JSON: ten classes of 2048 terms each take 5e5.
MAX_CHARACTERS = 2**28
# Operations from an input to an output; brackets within each other may be twice as many.
MAX_DEPTH = 6_000
# Digits of a number as it is written; a float takes 17.
MAX_DIGITS = 400
MAX_INPUTS = 10**8
# Symbols of a formula that is written out, and of all its parts, each with those below; and how
# many of either every entry of a large table may take.
MAX_SYMBOLS, MAX_COPIED, PER_ENTRY = 200_000, 60_000_000, 10
# Binary digits of a whole number that sympy computes exactly, exponents of others, and operations
# within each other, which it follows by recursion.
MAX_BITS, MAX_EXPONENT, MAX_RECURSION = 10_000, 2**40, 300


def check_characters(text: str, what: str) -> None:
    """Raise ValueError for a text that is too long to be read as `what`."""
    if len(text) > MAX_CHARACTERS:
        raise ValueError(
            f"{what} of {len(text)} characters is too long; wanted at most {MAX_CHARACTERS}"
        )


def check_size(graph: Graph) -> None:
    """Raise ValueError for a formula, read from somewhere, that cannot be worked with."""
    if graph.num_inputs > MAX_INPUTS:
        raise ValueError(
            f"a formula of {graph.num_inputs} inputs is too wide; wanted at most {MAX_INPUTS}"
        )
    check_written(graph)


def check_written(graph: Graph, named: Collection[int] = ()) -> None:
    """Raise ValueError for a formula that is too deep, or too long, to be written out.

    Args:
        graph: The formula.
        named: Nodes that are written once, and then called by a name.
    """
    if graph.depth > MAX_DEPTH:
        raise ValueError(
            f"a formula of {graph.depth} operations within each other is too deep; wanted at most"
            f" {MAX_DEPTH}"
        )
    spare = PER_ENTRY * _entries(graph)
    sizes: list[int] = []
    copied = 0
    for position, node in enumerate(graph.nodes):
        size = 1 + sum([sizes[child] for child in node.children])
        copied += size
        if copied > max(MAX_COPIED, spare):
            break
        sizes.append(1 if position in named else size)
    else:
        if sum(sizes[output] for output in graph.outputs) <= max(MAX_SYMBOLS, spare):
            return
    raise ValueError(
        f"a formula of more than {max(MAX_SYMBOLS, spare)} symbols is too long to be written out;"
        " the same parts are used too often within each other"
    )


def check_exact(graph: Graph) -> None:
    """Raise ValueError for a formula that would take exact arithmetic too far.

    sympy computes with whole numbers of any length, and with others of any exponent: of
    ``9**9**9`` it would write 369,693,100 digits.
    """
    if graph.depth > MAX_RECURSION:
        raise ValueError(
            f"sympy follows {MAX_RECURSION} operations within each other, got {graph.depth}"
        )
    for number, most in ((_bits, MAX_BITS), (_size, MAX_EXPONENT)):
        if _longest(graph, number, most) > most:
            raise ValueError(
                "sympy computes exactly: here it may meet whole numbers of more than"
                f" {MAX_BITS} binary digits, or others of an exponent above {MAX_EXPONENT}, as in"
                " 9**9**9"
            )


def _longest(graph: Graph, number: Callable[[float], float], most: float) -> float:
    """The most that any number in sympy's form of a formula can measure, stopping above `most`.

    Args:
        graph: The formula.
        number: What one number measures, as the logarithm of what multiplies.
        most: Where to stop.
    """
    found: list[float] = []
    logs: list[bool] = []  # whether there is a logarithm in the node
    for node in graph.nodes:
        below = [found[child] for child in node.children]
        has_log = any(logs[child] for child in node.children)
        longest = max(below, default=0.0)
        match node:
            case Constant(value):
                longest = number(value)
            case Affine(constant, terms):
                scaled = [number(c) + found[child] for c, child in terms]
                longest = max(number(constant), *scaled) + math.log2(len(terms) + (constant != 0))
            case Apply("pow", _):
                # In (3*a)**n sympy takes 3**n out.
                longest = max(below[0] * 2 ** min(below[1], 99), *below)
            case Apply("exp", _) if has_log:
                # exp(n*log(a)) is a**n to sympy.
                longest *= 2 ** min(longest, 99)
            case Apply(operator, _) if operator != "exp":
                longest = sum(below)
                has_log = has_log or operator == "log"
        if longest > most:
            return longest
        found.append(longest)
        logs.append(has_log)
    return max(found)


def _bits(value: float) -> float:
    """Of a number that is whole to sympy how many binary digits it takes; no other grows."""
    return math.log2(abs(value) + 1) if is_exact(value) else 0.0


def _size(value: float) -> float:
    """The exponent of a number, whichever its sign."""
    return abs(math.log2(abs(value))) if value else 0.0


def is_exact(value: float) -> bool:
    """Whether a number is written as a whole number of sympy's, which computes with it exactly."""
    return value == int(value) and abs(value) < 1e15


def _entries(graph: Graph) -> int:
    return sum(1 + (len(node.terms) if isinstance(node, Affine) else 0) for node in graph.nodes)
