"""What all writers of formulas share: one walk over the nodes, binding strengths, signs in sums."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Generic, TypeVar, cast

from occamhead.expression.graph import Graph
from occamhead.expression.limits import check_written
from occamhead.expression.nodes import Affine, Apply, Constant, Input, Node
from occamhead.expression.operators import CONDITION, get_operator

# Binding strengths, loosest first; each language uses those that it has.
# Residues are products to Python; here a product of one has brackets: 3*x % 2 is not 3*(x % 2).
(CONDITIONAL, OR, AND, NOT, COMPARISON, XOR, SUM, RESIDUE, PRODUCT, UNARY, POWER, ATOM) = range(12)

_STRENGTHS = {
    "where": CONDITIONAL,
    "xor": XOR,
    "mod": RESIDUE,
    "floordiv": RESIDUE,
    "mul": PRODUCT,
    "div": PRODUCT,
    "pow": POWER,
}

Form = TypeVar("Form")
Text = TypeVar("Text")


def strength_of(operator: str) -> int:
    """How strongly an operator binds where it stands between its arguments."""
    is_condition = get_operator(operator).kind == CONDITION
    return _STRENGTHS.get(operator, COMPARISON if is_condition else ATOM)


def number_text(value: float) -> str:
    """The shortest text that reads back to the same float; whole numbers without a point."""
    return str(int(value)) if value == int(value) and abs(value) < 1e16 else repr(float(value))


def signed_sum(
    terms: Iterable[tuple[float, str]],
    constant: float = 0.0,
    number: Callable[[float], str] = number_text,
    times: str = " * ",
    minus: str = "-",
) -> str:
    """``2 * a - b + 1``: terms from left to right, the constant last; that is how it is evaluated.

    Args:
        terms: Coefficients, and what they multiply.
        constant: Added at the end unless it is zero.
        number: Writes a number that is not negative.
        times: Stands between a coefficient and what it multiplies.
        minus: The sign of a first term that is negative.
    """
    parts: list[str] = []
    for coefficient, form in terms:
        size = "" if abs(coefficient) == 1 else f"{number(abs(coefficient))}{times}"
        sign = (" - " if coefficient < 0 else " + ") if parts else minus * (coefficient < 0)
        parts.append(f"{sign}{size}{form}")
    if constant:
        parts.append(f"{' - ' if constant < 0 else ' + '}{number(abs(constant))}")
    return "".join(parts)


def count_uses(graph: Graph, template: Callable[[str, int], str] | None = None) -> Counter[int]:
    """How often each node is named where the forms of its users are written out.

    Args:
        graph: The formulas.
        template: Form of an operator of so many arguments over ``{0}``, ``{1}``, ...; by default
            it names each argument once.
    """
    uses = Counter(graph.outputs)
    for node in graph.nodes:
        if template is not None and isinstance(node, Apply):
            form = template(node.operator, len(node.children))
            for position, child in enumerate(node.children):
                uses[child] += form.count(f"{{{position}}}")
        else:
            uses.update(node.children)
    return uses


def _too_deep(graph: Graph, named: Collection[int], levels: int) -> set[int]:
    """Nodes to name besides these, lest more operations than `levels` stand within each other."""
    found: set[int] = set()
    depths: list[int] = []
    for position, node in enumerate(graph.nodes):
        depth = 1 + max((depths[child] for child in node.children), default=-1)
        if depth == levels:
            found.add(position)
        depths.append(0 if position in named or position in found else depth)
    return found


class Writer(ABC, Generic[Form]):
    """Writes each node of a formula once, children first; a language says how each kind reads.

    Args:
        graph: The formulas.
        uses: How often each node is named. One that is named more than once goes through
            :meth:`named`: written out, it would be computed again, and the text would double with
            every level.
        levels: How many operations may stand within each other before one is named.

    Raises:
        ValueError: If the formula is too deep or too long to be written out.
    """

    def __init__(
        self, graph: Graph, uses: Counter[int] | None = None, levels: int | None = None
    ) -> None:
        self.graph, self.nodes = graph, graph.nodes
        counted = (uses or Counter()).items()
        repeated = {
            position for position, count in counted if count > 1 and self.nodes[position].children
        }
        if levels is not None:
            repeated |= _too_deep(graph, repeated, levels)
        check_written(graph, repeated)
        self.repeated: Collection[int] = repeated
        self.forms: list[Form] = []  # of the nodes so far

    def write(self) -> list[Form]:
        """The form of each output; what no other node will need is let go."""
        last = {
            child: position for position, node in enumerate(self.nodes) for child in node.children
        }
        for output in self.graph.outputs:
            last.pop(output, None)
        for position, node in enumerate(self.nodes):
            form = self.form(node)
            self.forms.append(self.named(form) if position in self.repeated else form)
            for child in node.children:
                if last.get(child) == position:
                    self.forms[child] = cast(Form, None)
        return [self.forms[output] for output in self.graph.outputs]

    def form(self, node: Node) -> Form:
        """The form of a node whose children have theirs."""
        match node:
            case Input(index):
                return self.input(index)
            case Constant(value):
                return self.constant(value)
            case Affine(constant, terms):
                return self.affine(constant, terms)
            case Apply(operator, children):
                return self.apply(operator, children)

    @abstractmethod
    def input(self, index: int) -> Form:
        """An input."""

    @abstractmethod
    def constant(self, value: float) -> Form:
        """A number."""

    @abstractmethod
    def affine(self, constant: float, terms: Sequence[tuple[float, int]]) -> Form:
        """A weighted sum of nodes."""

    @abstractmethod
    def apply(self, operator: str, children: Sequence[int]) -> Form:
        """An operator on nodes."""

    def named(self, form: Form) -> Form:
        """Define a name for what is used more than once; the name."""
        raise NotImplementedError(f"{type(self).__name__} has no names")

    def is_condition(self, position: int) -> bool:
        """Whether a node is a truth value by its operator."""
        node = self.nodes[position]
        return isinstance(node, Apply) and get_operator(node.operator).kind == CONDITION


class InfixWriter(Writer[tuple[Text, int]]):
    """A writer whose forms are texts with how strongly they bind."""

    def slot(self, position: int, strength: int) -> Text:
        """A node's text where it must bind so strongly, in brackets if it does not."""
        text, own = self.read(position)
        return text if own >= strength else self.bracketed(text)

    def read(self, position: int) -> tuple[Text, int]:
        """A node as its users see it."""
        return self.forms[position]

    @abstractmethod
    def bracketed(self, text: Text) -> Text:
        """The text in brackets."""
