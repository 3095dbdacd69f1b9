"""Formulas of whole numbers as Python that reads as a person would write it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from occamhead.expression.formats.program_names import Names, Naming
from occamhead.expression.formats.program_truths import lies_within, truth_values
from occamhead.expression.formats.source import one_line
from occamhead.expression.formats.walk import (
    AND,
    ATOM,
    COMPARISON,
    CONDITIONAL,
    NOT,
    OR,
    PRODUCT,
    RESIDUE,
    SUM,
    UNARY,
    XOR,
    InfixWriter,
    number_text,
    signed_sum,
)
from occamhead.expression.graph import Graph
from occamhead.expression.nodes import Affine, Apply, Constant, Input
from occamhead.expression.operators import CONDITION, get_operator

# So many different coefficients are better read as one list.
_MANY = 4
_FLIPPED = {"ge": "<=", "gt": "<"}


def to_program(
    expression: Graph,
    comment: str = "",
    binary: Collection[int] = (),
    groups: Mapping[str, Sequence[int]] | None = None,
) -> str:
    """Source of ``predict(x)`` for a list of whole numbers; it imports nothing.

    One output is the class itself; of several the class is the lowest of those that are highest.
    Sums that are read more than once get a name, ``where`` at the root becomes if and elif, and
    minima and maxima of truth values become ``and`` and ``or``. Truth values are returned as
    Python has them: True equals 1. It takes a list of Python's numbers, as its signature says: sums
    of a NumPy row of small integers would wrap around, so give it ``row.tolist()``.

    Args:
        expression: The formulas.
        comment: Text for the docstring; one line.
        binary: The inputs that are 0 or 1.
        groups: Names for the sums of some inputs, by the indices of those inputs.

    Raises:
        ValueError: If an operator is used that a program of whole numbers does not have.
    """
    return _ProgramWriter(expression, frozenset(binary), groups or {}).source(comment)


class _ProgramWriter(InfixWriter[str]):
    """Writes a node where it is first read; what is read more than once is read by its name."""

    def __init__(
        self, graph: Graph, binary: frozenset[int], groups: Mapping[str, Sequence[int]]
    ) -> None:
        super().__init__(graph)
        self.is_truth = truth_values(graph, binary)
        self._start(Names({}, range(0)))
        # The first time is only to count.
        for output in graph.outputs:
            self.statements(output, 1)
        self._start(Naming(graph, self.is_truth, groups).choose(self.references))

    def _start(self, names: Names) -> None:
        self.names, self.unpacked = names.of, names.unpacked
        self.references: Counter[int] = Counter()
        self.written: dict[int, tuple[str, int]] = {}

    # --- the source ------------------------------------------------------------------------------

    def source(self, comment: str) -> str:
        text = one_line(comment).replace("\\", "/").replace('"', "'").strip()
        entry = "int" if self._is_whole() else "float"
        lines = [f"def predict(x: list[{entry}]):", f'    """{text or "The class."}"""']
        if self.unpacked:
            names = ", ".join(map(self.graph.input_name, self.unpacked))
            lines.append(f"    {names} = {_slice(self.unpacked, self.graph.num_inputs)}")
        indices = {i: node.index for i in self.names if isinstance(node := self.nodes[i], Input)}
        for position in sorted(self.names, key=lambda i: (i not in indices, i)):
            if indices.get(position) not in self.unpacked:
                lines.append(f"    {self.names[position]} = {self.form(self.nodes[position])[0]}")
        if len(self.graph.outputs) == 1:
            lines += self.statements(self.graph.outputs[0], 1)
        else:
            scores = ", ".join(self.slot(output, OR) for output in self.graph.outputs)
            lines += [f"    scores = [{scores}]", "    return scores.index(max(scores))"]
        return "\n".join([*lines, ""])

    def _is_whole(self) -> bool:
        """Whether all numbers of the formulas are whole, and so are the inputs then."""
        numbers: list[float] = []
        for node in self.nodes:
            match node:
                case Constant(value):
                    numbers.append(value)
                case Affine(constant, terms):
                    numbers += [constant, *(coefficient for coefficient, _ in terms)]
        return all(number == int(number) for number in numbers)

    def statements(self, index: int, depth: int, word: str = "if") -> list[str]:
        """Lines that return the value of a node."""
        node, pad = self.nodes[index], "    " * depth
        match node:
            case Apply("where", (condition, then, otherwise)) if index not in self.names:
                self.references[index] += 1
                lines = [f"{pad}{word} {self.slot(condition, OR)}:"]
                lines += self.statements(then, depth + 1)
                return lines + self.statements(otherwise, depth, "elif")
        return [f"{pad}return {self.slot(index, CONDITIONAL)}"]

    def read(self, position: int) -> tuple[str, int]:
        self.references[position] += 1
        if position in self.names:
            return self.names[position], ATOM
        if position not in self.written:
            self.written[position] = self.form(self.nodes[position])
        return self.written[position]

    def bracketed(self, text: str) -> str:
        return f"({text})"

    def input(self, index: int) -> tuple[str, int]:
        return f"x[{index}]", ATOM

    def constant(self, value: float) -> tuple[str, int]:
        return number_text(value), ATOM if value >= 0 else PRODUCT

    def affine(self, constant: float, terms: Sequence[tuple[float, int]]) -> tuple[str, int]:
        match constant, terms:
            case 1, ((-1, child),) if self.is_truth[child]:
                return self.negation(child)
        return self.weighted_sum(constant, terms)

    def apply(self, operator: str, children: Sequence[int]) -> tuple[str, int]:
        are_truths = all(self.is_truth[child] for child in children)
        match operator, children:
            case "eq", (a, b) if self.is_truth[a] and self.nodes[b] == Constant(0.0):
                return self.negation(a)
            case "max", _ if are_truths:
                return _joined(" or ", OR, self.any_of(children))
            case "min", _ if are_truths:
                return _joined(" and ", AND, self.all_of(children))
            case "max" | "min" | "abs", _:
                listed = ", ".join(self.slot(child, CONDITIONAL) for child in children)
                return f"{operator}({listed})", ATOM
            case "xor", (a, b) if are_truths:
                return f"{self.slot(a, XOR)} ^ {self.slot(b, XOR + 1)}", XOR
            case "where", (condition, then, otherwise):
                first, test = self.slot(then, OR), self.slot(condition, OR)
                return f"{first} if {test} else {self.slot(otherwise, CONDITIONAL)}", CONDITIONAL
            case "choose", (place, *choices) if lies_within(
                self.graph, self.is_truth, place, len(choices)
            ):
                return self.lookup(place, choices), ATOM
            case "mul", (a, b):
                return f"{self.slot(a, PRODUCT)} * {self.slot(b, UNARY)}", PRODUCT
            case "floordiv" | "mod", (a, b) if self._divides(b):
                symbol = get_operator(operator).infix
                return f"{self.slot(a, RESIDUE)} {symbol} {self.slot(b, UNARY)}", RESIDUE
            case _, (a, b) if (known := get_operator(operator)).infix and known.kind == CONDITION:
                return self.comparison(operator, a, b), COMPARISON
        raise ValueError(
            f"a program of whole numbers has no {operator!r} of these arguments; print this"
            " formula with Expression.python() instead"
        )

    def negation(self, child: int) -> tuple[str, int]:
        return f"not {self.slot(child, NOT)}", NOT

    def comparison(self, name: str, a: int, b: int) -> str:
        """``a >= b``; of whole numbers ``a - b >= 1`` reads ``a > b``."""
        symbol = get_operator(name).infix
        left, right = self.nodes[a], self.nodes[b]
        strict = {("ge", 1.0): ">", ("le", -1.0): "<"}
        if (
            isinstance(right, Constant)
            and a not in self.names
            and isinstance(left, Affine)
            and left.constant == 0
            and len({c for c, _ in left.terms}) < _MANY
            and all(c == int(c) and isinstance(self.nodes[i], Input) for c, i in left.terms)
            and len({c > 0 for c, _ in left.terms}) == 2
            and (right.value == 0 or (name, right.value) in strict)
        ):
            symbol = strict.get((name, right.value), symbol)
            added = self.weighted_sum(0, [(c, i) for c, i in left.terms if c > 0])
            taken = self.weighted_sum(0, [(-c, i) for c, i in left.terms if c < 0])
            return f"{added[0]} {symbol} {taken[0]}"
        return f"{self.slot(a, XOR)} {symbol} {self.slot(b, XOR)}"

    def any_of(self, children: Sequence[int]) -> list[str]:
        """Alternatives; several equalities of one value become ``value in (1, 4)``."""
        return [self.listed(a, "in", group) if len(group) > 1 else self.slot(group[0], OR)
                for a, group in self.gathered("eq", children)]  # fmt: skip

    def all_of(self, children: Sequence[int]) -> list[str]:
        """Conditions; a lower and an upper bound of one value become ``1 <= value <= 4``, and
        several inequalities ``value not in (1, 4)``."""
        texts: list[str] = []
        lower: dict[int, tuple[int, str]] = {}  # the value: where its bound stands, and its text
        for a, group in self.gathered("ne", children):
            match self.nodes[group[0]]:
                case Apply("ge" | "gt" as name, (value, b)) if self._is_number(b):
                    lower[value] = len(texts), f"{self.slot(b, XOR)} {_FLIPPED[name]} "
                case Apply("le" | "lt" as name, (value, b)) if value in lower:
                    place, text = lower.pop(value)
                    symbol = get_operator(name).infix
                    self.references[value] -= 1  # the lower bound named it already
                    texts[place] = f"{text}{self.slot(value, XOR)} {symbol} {self.slot(b, XOR)}"
                    continue
            many = len(group) > 1
            texts.append(self.listed(a, "not in", group) if many else self.slot(group[0], AND))
        return texts

    def gathered(self, name: str, children: Sequence[int]) -> list[tuple[int, list[int]]]:
        """The children, those together that compare one value by `name` to a number."""
        groups: dict[tuple[int, bool], list[int]] = {}
        for child in children:
            match self.nodes[child]:
                case Apply(operator, (a, b)) if operator == name and self._is_number(b):
                    groups.setdefault((a, True), []).append(child)
                case _:
                    groups[child, False] = [child]
        return [(value, group) for (value, _), group in groups.items()]

    def listed(self, value: int, word: str, comparisons: Sequence[int]) -> str:
        children = [self.nodes[i].children[1] for i in comparisons]
        numbers = [self.slot(i, XOR) for i in sorted(children, key=self._value)]
        return f"{self.slot(value, XOR)} {word} ({', '.join(numbers)})"

    def _value(self, index: int) -> float:
        node = self.nodes[index]
        assert isinstance(node, Constant)
        return node.value

    def _is_number(self, index: int) -> bool:
        return isinstance(self.nodes[index], Constant)

    def _divides(self, index: int) -> bool:
        """Whether a node is a number other than zero, by which Python divides as formulas do."""
        return self._is_number(index) and self._value(index) != 0

    def lookup(self, place: int, choices: Sequence[int]) -> str:
        """The choice at a place: of neighbouring inputs ``x[place]``, else of a list."""
        indices = [node.index for i in choices if isinstance(node := self.nodes[i], Input)]
        first = indices[0] if indices else 0
        if indices == [*range(first, first + len(choices))]:
            start = f"{first} + " if first else ""
            return f"x[{start}{self.slot(place, SUM if first else CONDITIONAL)}]"
        listed = ", ".join(self.slot(choice, CONDITIONAL) for choice in choices)
        return f"({listed})[{self.slot(place, CONDITIONAL)}]"

    def weighted_sum(self, constant: float, terms: Sequence[tuple[float, int]]) -> tuple[str, int]:
        """Inputs with equal coefficients as one ``sum``; what is added stands before the rest."""
        by_coefficient: dict[float, list[int]] = {}
        for coefficient, child in terms:
            by_coefficient.setdefault(coefficient, []).append(child)
        parts: list[tuple[float, str, int]] = []
        if len(by_coefficient) >= _MANY and (text := self.dot_product(terms)):
            by_coefficient, parts = {}, [(1.0, text, ATOM)]
        elif (most := self.common_coefficient(by_coefficient)) is not None:
            (other,) = by_coefficient.keys() - {most}
            parts = [(most, "sum(x)", ATOM)]
            by_coefficient = {other - most: by_coefficient[other]}
        for coefficient, children in by_coefficient.items():
            indices = [node.index for i in children if isinstance(node := self.nodes[i], Input)]
            if len(set(indices)) == len(children) > 2:
                parts.append((coefficient, *self.plain_sum(indices)))
            else:
                strength = RESIDUE if coefficient == 1 else PRODUCT
                parts += [(coefficient, self.slot(child, strength), strength) for child in children]
        parts.sort(key=lambda part: part[0] < 0)
        if constant:
            at = 0 if parts[0][0] < 0 < constant else len(parts)
            parts.insert(at, (1.0 if constant > 0 else -1.0, number_text(abs(constant)), ATOM))
        factors = [
            (c, f"({form})" if strength < PRODUCT and c != 1 else form)
            for c, form, strength in parts
        ]
        if len(parts) > 1:
            return signed_sum(factors), SUM
        ((coefficient, _, strength),) = parts
        return signed_sum(factors), strength if coefficient == 1 else min(strength, PRODUCT)

    def common_coefficient(self, by_coefficient: Mapping[float, Sequence[int]]) -> float | None:
        """The coefficient of all inputs but one, if the one has another."""
        sizes = {coefficient: len(children) for coefficient, children in by_coefficient.items()}
        children = {child for some in by_coefficient.values() for child in some}
        are_inputs = all(isinstance(self.nodes[child], Input) for child in children)
        every = are_inputs and len(children) == sum(sizes.values()) == self.graph.num_inputs
        if not every or len(children) < 4 or sorted(sizes.values()) != [1, len(children) - 1]:
            return None
        return max(sizes, key=sizes.__getitem__)

    def plain_sum(self, indices: Sequence[int]) -> tuple[str, int]:
        """The shortest way to write the sum of some inputs."""
        indices, width = sorted(indices), self.graph.num_inputs
        if section := _slice(indices, width):
            return f"sum({section})", ATOM
        listed = f"sum(x[i] for i in ({', '.join(map(str, indices))}))"
        missing = sorted(set(range(width)) - set(indices))
        others = [f" - {self.input_text(index)}" for index in missing]
        but = f"sum(x){''.join(others)}"
        return (but, SUM) if _count(but) < _count(listed) else (listed, ATOM)

    def input_text(self, index: int) -> str:
        """An input by its name if it has one here."""
        node = Input(index)
        return self.slot(self.nodes.index(node), PRODUCT) if node in self.nodes else f"x[{index}]"

    def dot_product(self, terms: Sequence[tuple[float, int]]) -> str | None:
        """Many coefficients over neighbouring inputs, as one ``sum`` over pairs."""
        numbers = {
            node.index: coefficient
            for coefficient, child in terms
            if isinstance(node := self.nodes[child], Input)
        }
        if len(numbers) < len(terms):
            return None
        section = _slice(sorted(numbers), self.graph.num_inputs)
        if section is None:
            return None
        weights = ", ".join(number_text(numbers[index]) for index in sorted(numbers))
        return f"sum(w * v for w, v in zip(({weights}), {section}))"


def _joined(word: str, strength: int, texts: Sequence[str]) -> tuple[str, int]:
    # Alone stands only what was gathered from several comparisons: a comparison itself.
    return word.join(texts), strength if len(texts) > 1 else COMPARISON


def _slice(indices: Sequence[int], width: int) -> str | None:
    """``x`` or a slice of it with exactly these ascending indices, if there is one."""
    if len(indices) == width:
        return "x"
    step = indices[1] - indices[0]
    first, last = indices[0], indices[-1]
    if list(indices) != list(range(first, last + 1, step)):
        return None
    start, stop = str(first or ""), str("" if last + step >= width else last + 1)
    return f"x[{start}:{stop}]" if step == 1 else f"x[{start}:{stop}:{step}]"


def _count(text: str) -> int:
    return len(re.findall(r"\w+|\S", text))
