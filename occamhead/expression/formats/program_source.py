"""Formulas of whole numbers as Python that reads as a person would write it."""

from __future__ import annotations

import keyword
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from occamhead.expression.formats.source import one_line
from occamhead.expression.formats.text import number_text
from occamhead.expression.graph import Graph
from occamhead.expression.nodes import Affine, Apply, Constant, Input
from occamhead.expression.operators import CONDITION, get_operator

# Python's binding strengths, loosest first.
# Residues are products to Python; they stand below, so that a factor of one has brackets.
(CONDITIONAL, OR, AND, NOT, COMPARISON, XOR, SUM, RESIDUE, PRODUCT, ATOM) = range(10)
_TAKEN = {"x", "i", "predict", "sum", "min", "max", "abs", "scores",
          "w", "v", "zip"}  # fmt: skip
# More names than this on the left of "= x" are harder to read than x[17].
_MOST_UNPACKED = 8
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
    Python has them: True equals 1.

    Args:
        expression: The formulas.
        comment: Text for the docstring; one line.
        binary: The inputs that are 0 or 1.
        groups: Names for the sums of some inputs, by the indices of those inputs.

    Raises:
        ValueError: If an operator is used that a program of whole numbers does not have.
    """
    return _Printer(expression, frozenset(binary), groups or {}).source(comment)


class _Printer:
    """Renders each node once; what is read more than once is rendered by its name."""

    def __init__(
        self, expression: Graph, binary: frozenset[int], groups: Mapping[str, Sequence[int]]
    ) -> None:
        self.expression, self.nodes = expression, expression.nodes
        self.groups = {frozenset(indices): name for name, indices in groups.items()}
        self.is_truth: list[bool] = []
        for node in self.nodes:
            self.is_truth.append(self._truth(node, binary))
        self.names: dict[int, str] = {}
        self.unpacked = range(0)  # the inputs that get their names in one line
        self._clear()
        # The first rendering only counts; leaves of sums are counted where they stand alone.
        for output in expression.outputs:
            self.statements(output, 1)
        repeated = {i for i, count in self.references.items() if count > 1 and self._is_long(i)}
        # What the user has a name for gets it, even if it is read once.
        repeated |= {i for i in self.references if self._group_name(i)}
        alone = {i: n for i, n in self.references.items() if isinstance(self.nodes[i], Input)}
        self._name_inputs(alone)
        self._name_results(sorted(repeated))

    def _clear(self) -> None:
        self.references: Counter[int] = Counter()
        self.forms: dict[int, tuple[str, int]] = {}

    def _truth(self, node: Input | Constant | Affine | Apply, binary: frozenset[int]) -> bool:
        """Whether the node is 0 or 1 whatever the inputs are."""
        match node:
            case Input(index):
                return index in binary
            case Constant(value):
                return value in (0, 1)
            case Affine(1, ((-1, child),)):
                return self.is_truth[child]
            case Apply("min" | "max", children) | Apply("where" | "choose", (_, *children)):
                return all(self.is_truth[child] for child in children)
            case Apply("mod", (_, divisor)):
                return self.nodes[divisor] == Constant(2.0)
            case Apply(name, _):
                return get_operator(name).kind == CONDITION
        return False

    # --- names -----------------------------------------------------------------------------------

    def _is_long(self, index: int) -> bool:
        """Whether a node is worth a name: more than a variable or its comparison to a number."""
        if not (children := self.nodes[index].children):
            return False
        is_comparison = isinstance(self.nodes[index], Apply) and len(children) == 2
        return not (is_comparison and all(not self.nodes[c].children for c in children))

    def _name_inputs(self, alone: Mapping[int, int]) -> None:
        names = self.expression.names
        if names is None or not all(_is_free(name) for name in names):
            return
        indices = {p: node.index for p in alone if isinstance(node := self.nodes[p], Input)}
        telling = [i for i, name in enumerate(names) if name != f"x{i}"]  # more than x[3] does
        everything = len(names) <= _MOST_UNPACKED or not telling
        run = range(len(names)) if everything else range(telling[0], telling[-1] + 1)
        read = sum(count for position, count in alone.items() if indices[position] in run)
        worth = read >= (1 if everything and telling else 2) and (everything or [*run] == telling)
        if 2 <= len(run) <= _MOST_UNPACKED and worth:
            self.unpacked = run
        for position, count in alone.items():
            if indices[position] in self.unpacked or count > 1:
                self.names[position] = names[indices[position]]

    def _name_results(self, positions: Sequence[int]) -> None:
        taken = {*_TAKEN, *self.names.values(), *map(self.expression.input_name, self.unpacked)}
        sums = [i for i in positions if self._group_name(i) is None and self._is_sum(i)]
        others = [i for i in positions if self._group_name(i) is None and not self._is_sum(i)]
        for position in positions:
            name = self._group_name(position)
            if name is None:
                stem, family = ("s", sums) if position in sums else ("t", others)
                name = stem if len(family) == 1 else f"{stem}{family.index(position)}"
            while name in taken:
                name += "_"
            taken.add(name)
            self.names[position] = name

    def _is_sum(self, position: int) -> bool:
        return isinstance(self.nodes[position], Affine) and not self.is_truth[position]

    def _group_name(self, position: int) -> str | None:
        node = self.nodes[position]
        if not isinstance(node, Affine) or node.constant or any(c != 1 for c, _ in node.terms):
            return None
        leaves = [self.nodes[child] for child in node.children]
        indices = {leaf.index for leaf in leaves if isinstance(leaf, Input)}
        name = self.groups.get(frozenset(indices)) if len(indices) == len(leaves) else None
        return name if name and _is_free(name) else None

    # --- the source ------------------------------------------------------------------------------

    def source(self, comment: str) -> str:
        self._clear()
        text = one_line(comment).replace("\\", "/").replace('"', "'").strip()
        lines = ["def predict(x):", f'    """{text or "The class."}"""']
        if self.unpacked:
            names = ", ".join(map(self.expression.input_name, self.unpacked))
            lines.append(f"    {names} = {_slice(self.unpacked, self.expression.num_inputs)}")
        indices = {i: node.index for i in self.names if isinstance(node := self.nodes[i], Input)}
        for position in sorted(self.names, key=lambda i: (i not in indices, i)):
            if indices.get(position) not in self.unpacked:
                lines.append(f"    {self.names[position]} = {self.render(position)[0]}")
        if len(self.expression.outputs) == 1:
            lines += self.statements(self.expression.outputs[0], 1)
        else:
            scores = ", ".join(self.slot(output, OR) for output in self.expression.outputs)
            lines += [f"    scores = [{scores}]", "    return scores.index(max(scores))"]
        return "\n".join([*lines, ""])

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

    def slot(self, index: int, strength: int) -> str:
        """A node's text where at least this binding strength is needed."""
        self.references[index] += 1
        if index in self.names:
            return self.names[index]
        if index not in self.forms:
            self.forms[index] = self.render(index)
        text, own = self.forms[index]
        return text if own >= strength else f"({text})"

    def render(self, index: int) -> tuple[str, int]:
        """A node's own text, and how strongly it binds."""
        match self.nodes[index]:
            case Input(position):
                return f"x[{position}]", ATOM
            case Constant(value):
                return number_text(value), ATOM if value >= 0 else PRODUCT
            case Affine(1, ((-1, child),)) if self.is_truth[child]:
                return f"not {self.slot(child, NOT)}", NOT
            case Affine(constant, terms):
                return self.weighted_sum(constant, terms)
            case Apply("eq", (a, b)) if self.is_truth[a] and self.nodes[b] == Constant(0.0):
                return f"not {self.slot(a, NOT)}", NOT
            case Apply("max", children) if self.is_truth[index]:
                return _joined(" or ", OR, self.any_of(children))
            case Apply("min", children) if self.is_truth[index]:
                return _joined(" and ", AND, self.all_of(children))
            case Apply("max" | "min" as name, children):
                return f"{name}({', '.join(self.slot(c, CONDITIONAL) for c in children)})", ATOM
            case Apply("xor", (a, b)) if self.is_truth[a] and self.is_truth[b]:
                return f"{self.slot(a, XOR)} ^ {self.slot(b, XOR + 1)}", XOR
            case Apply("where", (condition, then, otherwise)):
                first, test = self.slot(then, OR), self.slot(condition, OR)
                return f"{first} if {test} else {self.slot(otherwise, CONDITIONAL)}", CONDITIONAL
            case Apply("choose", (place, *choices)) if self._lies_within(place, len(choices)):
                return self.lookup(place, choices), ATOM
            case Apply("mul", (a, b)):
                return f"{self.slot(a, PRODUCT)} * {self.slot(b, PRODUCT + 1)}", PRODUCT
            case Apply("floordiv" | "mod" as name, (a, b)) if self._divides(b):
                symbol = get_operator(name).infix
                return f"{self.slot(a, RESIDUE)} {symbol} {self.slot(b, PRODUCT + 1)}", RESIDUE
            case Apply("abs", (a,)):
                return f"abs({self.slot(a, CONDITIONAL)})", ATOM
            case Apply(name, (a, b)) if get_operator(name).infix and (
                get_operator(name).kind == CONDITION
            ):
                return self.comparison(name, a, b), COMPARISON
            case Apply(name, _):
                raise ValueError(
                    f"a program of whole numbers has no {name!r} of these arguments; print this"
                    " formula with Expression.python() instead"
                )
        raise AssertionError("unreachable")

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

    def _lies_within(self, index: int, count: int) -> bool:
        """Whether a node is one of 0, ..., count - 1 whatever the truth values in it are."""
        least = most = whole = 0.0
        match self.nodes[index]:
            case Affine(constant, terms) if all(self.is_truth[child] for _, child in terms):
                least = constant + sum(min(c, 0) for c, _ in terms)
                most = constant + sum(max(c, 0) for c, _ in terms)
                whole = sum(number % 1 for number in (constant, *(c for c, _ in terms)))
            case Constant(value):
                least = most = value
                whole = value % 1
            case _ if self.is_truth[index]:
                most = 1
            case _:
                return False
        return whole == 0 and least >= 0 and most < count

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
        text = ""
        for coefficient, form, strength in parts:
            size = "" if abs(coefficient) == 1 else f"{number_text(abs(coefficient))} * "
            if strength < PRODUCT and (size or coefficient < 0):
                form = f"({form})"
            sign = (" - " if coefficient < 0 else " + ") if text else "-" * (coefficient < 0)
            text += f"{sign}{size}{form}"
        one = len(parts) == 1
        return text, (
            min(parts[0][2], PRODUCT) if parts[0][0] != 1 else parts[0][2]
        ) if one else SUM

    def common_coefficient(self, by_coefficient: Mapping[float, Sequence[int]]) -> float | None:
        """The coefficient of all inputs but one, if the one has another."""
        sizes = {coefficient: len(children) for coefficient, children in by_coefficient.items()}
        children = {child for some in by_coefficient.values() for child in some}
        are_inputs = all(isinstance(self.nodes[child], Input) for child in children)
        every = are_inputs and len(children) == sum(sizes.values()) == self.expression.num_inputs
        if not every or len(children) < 4 or sorted(sizes.values()) != [1, len(children) - 1]:
            return None
        return max(sizes, key=sizes.__getitem__)

    def plain_sum(self, indices: Sequence[int]) -> tuple[str, int]:
        """The shortest way to write the sum of some inputs."""
        indices, width = sorted(indices), self.expression.num_inputs
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
        section = _slice(sorted(numbers), self.expression.num_inputs)
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


def _is_free(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name) and name not in _TAKEN
