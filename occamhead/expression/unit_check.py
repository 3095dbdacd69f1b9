"""Whether a formula respects the units of its inputs, and which units its numbers need for that.

Every node has a unit: that of an input is given, that of a number is sought. What a sum or a
function demands of units is a linear equation in their exponents, and the equations are solved
one after another, so that the first that cannot hold is found with the node that it is from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from occamhead.expression.graph import Graph, GraphBuilder
from occamhead.expression.nodes import Affine, Apply, Constant, Input
from occamhead.expression.units import Unit

# A constant exponent that is a fraction of so small a denominator may be that of a unit.
_DENOMINATORS, _NEAR = 4, 1e-9
# Whole numbers and halves up to this may be part of the form, which has no unit.
_LARGEST_STRUCTURAL = 20

_SAME = {"max", "min", "abs", "mod"}  # all arguments and the result have one unit
_COMPARED = {"le", "lt", "ge", "gt", "eq", "ne", "floordiv"}  # arguments have one, the result none


@dataclass(frozen=True)
class UnitCheck:
    """What the units of a formula are.

    Args:
        consistent: Whether units can be given to its numbers so that all of it holds.
        reason: Which node cannot hold, and why; empty if consistent.
        numbers: Each number that may have a unit, in the order of the nodes, with it; empty if
            not consistent. Exponents and factors of 1 and -1 have none and are not listed.
    """

    consistent: bool
    reason: str
    numbers: tuple[tuple[float, Unit], ...]

    @property
    def needed(self) -> int:
        """How many numbers need a unit; a mere conversion, such as from mm to m, is none."""
        return sum(any(unit.exponents) for _, unit in self.numbers)


def check_units(
    formula: Graph, inputs: Sequence[Unit | None], targets: Sequence[Unit | None]
) -> UnitCheck:
    """Check the unit of every node of a formula.

    Sums, comparisons and choices need one unit, functions such as sin, exp and log none. A unit
    may be raised to a constant whole power or one of halves, thirds or quarters. Every number that
    is written takes the unit that it needs, but for 1 in a sum; whole numbers and halves up to 20
    take one only where the formula could not hold without.

    Args:
        formula: The formula.
        inputs: Unit of each input; None if it is not known, and may be any.
        targets: Unit of each output; None if it is not known.

    Raises:
        ValueError: If there is not a unit or None for each input and output.
    """
    if len(inputs) != formula.num_inputs or len(targets) != len(formula):
        raise ValueError(
            f"wanted units of {formula.num_inputs} inputs and {len(formula)} outputs,"
            f" got {len(inputs)} and {len(targets)}"
        )
    try:
        return _Check(formula, inputs, targets, structural=True).solved()
    except _Broken as reason:
        first = reason
    try:
        return _Check(formula, inputs, targets, structural=False).solved()
    except _Broken:
        return UnitCheck(False, str(first), ())


class _Broken(Exception):
    """An equation that cannot hold."""


@dataclass(frozen=True)
class _Form:
    """A known unit times powers of unknown ones."""

    known: Unit
    unknown: tuple[tuple[int, Fraction], ...] = ()

    def times(self, other: _Form, power: Fraction = Fraction(1)) -> _Form:
        """This one times a power of another one."""
        powers = dict(self.unknown)
        for index, exponent in other.unknown:
            powers[index] = powers.get(index, Fraction(0)) + power * exponent
        kept = tuple((index, exponent) for index, exponent in powers.items() if exponent)
        return _Form(self.known * other.known**power, kept)


_ONE = _Form(Unit())


def _said(unit: Unit) -> str:
    return "without unit" if unit.is_one else f"in {unit}"


class _Check:
    """The equations of one formula, solved while its nodes are walked."""

    def __init__(
        self,
        formula: Graph,
        inputs: Sequence[Unit | None],
        targets: Sequence[Unit | None],
        structural: bool,
    ) -> None:
        self.formula, self.structural = formula, structural
        self.unknowns = 0
        self.solution: dict[int, _Form] = {}
        self.numbers: list[tuple[float, _Form]] = []
        self.inputs = [
            _Form(Unit(), ((-1 - place, Fraction(1)),)) if unit is None else _Form(unit)
            for place, unit in enumerate(inputs)
        ]
        self.exponents = {
            node.children[1]
            for node in formula.nodes
            if isinstance(node, Apply) and node.operator == "pow"
        }
        self.forms: list[_Form] = []
        for place in range(len(formula.nodes)):
            self.forms.append(self._node(place))
        for output, unit in zip(formula.outputs, targets, strict=True):
            if unit is not None:
                self._equal(self.forms[output], _Form(unit), output, "{0} is {1}, not {2}")

    def solved(self) -> UnitCheck:
        """The units of the numbers; what nothing determines has none."""
        found = tuple((value, self._reduced(form).known) for value, form in self.numbers)
        return UnitCheck(True, "", found)

    def _node(self, place: int) -> _Form:
        match self.formula.nodes[place]:
            case Input(index):
                return self.inputs[index]
            case Constant(value):
                return _ONE if place in self.exponents else self._number(value)
            case Affine(constant, terms):
                return self._sum(constant, terms)
            case Apply(operator, children):
                return self._operator(operator, children)

    def _unknown(self) -> _Form:
        self.unknowns += 1
        return _Form(Unit(), ((self.unknowns, Fraction(1)),))

    def _number(self, value: float) -> _Form:
        """The unit of a number that is written: none, or a new unknown."""
        if value == 0:
            return self._unknown()
        if abs(value) == 1:
            return _ONE
        whole = 2 * value == round(2 * value) and abs(value) <= _LARGEST_STRUCTURAL
        form = _ONE if self.structural and whole else self._unknown()
        self.numbers.append((value, form))
        return form

    def _sum(self, constant: float, terms: Sequence[tuple[float, int]]) -> _Form:
        parts = [(self._number(number).times(self.forms[child]), child) for number, child in terms]
        (first, shown), *others = parts
        for form, child in others:
            self._equal(first, form, (shown, child), "{0} is {1} and {2} {3}: they cannot be added")
        if constant:
            number = self._number(constant)
            self._equal(
                first, number, shown, f"{{0}} is {{1}} and {constant:g} {{2}}: they cannot be added"
            )
        return first

    def _operator(self, operator: str, children: tuple[int, ...]) -> _Form:
        forms = [self.forms[child] for child in children]
        match operator:
            case "mul":
                return forms[0].times(forms[1])
            case "div":
                return forms[0].times(forms[1], Fraction(-1))
            case "pow":
                return self._power(children, forms)
            case "where" | "choose":
                self._bare(children[0], operator)
                return self._alike(children[1:])
            case _ if operator in _SAME:
                return self._alike(children)
            case _ if operator in _COMPARED:
                self._alike(children)
                return _ONE
        for child in children:
            self._bare(child, operator)
        return _ONE

    def _power(self, children: tuple[int, ...], forms: list[_Form]) -> _Form:
        base, exponent = children
        node = self.formula.nodes[exponent]
        if isinstance(node, Constant):
            power = Fraction(node.value).limit_denominator(_DENOMINATORS)
            if abs(float(power) - node.value) <= _NEAR * max(1.0, abs(node.value)):
                return _ONE.times(forms[0], power)
        else:
            self._bare(exponent, "an exponent", forms[1])
        self._bare(base, "a power that is no fraction", forms[0])
        return _ONE

    def _alike(self, children: Sequence[int]) -> _Form:
        first, *others = children
        for child in others:
            self._equal(
                self.forms[first], self.forms[child], (first, child),
                "{0} is {1} and {2} {3}: they cannot be compared",
            )  # fmt: skip
        return self.forms[first]

    def _bare(self, child: int, what: str, form: _Form | None = None) -> None:
        self._equal(
            self.forms[child] if form is None else form, _ONE, child,
            f"{{0}} is {{1}}, but {what} takes what has no unit",
        )  # fmt: skip

    def _reduced(self, form: _Form) -> _Form:
        """The form without the unknowns that are solved."""
        while solved := [pair for pair in form.unknown if pair[0] in self.solution]:
            for index, power in solved:
                form = form.times(_Form(Unit(), ((index, -power),)))
                form = form.times(self.solution[index], power)
        return form

    def _equal(self, one: _Form, other: _Form, shown: int | tuple[int, int], message: str) -> None:
        """Demand that two units are equal; `message` takes the nodes shown and the two units."""
        left = self._reduced(one.times(other, Fraction(-1)))
        if not left.unknown:
            if left.known.is_one:
                return
            first, *more = [shown] if isinstance(shown, int) else shown
            known = [_said(self._reduced(form).known) for form in (one, other)]
            words = [self._text(first), known[0], *map(self._text, more), known[1]]
            raise _Broken(message.format(*words))
        # A column of no known unit takes what it must; of numbers the outermost does.
        index, power = min(left.unknown, key=lambda pair: (pair[0] >= 0, -pair[0]))
        rest = _Form(left.known, tuple(pair for pair in left.unknown if pair[0] != index))
        self.solution[index] = _ONE.times(rest, -1 / power)

    def _text(self, place: int) -> str:
        builder = GraphBuilder()
        builder.nodes = list(self.formula.nodes)
        return str(self.formula.rebuilt(builder, [place]))
