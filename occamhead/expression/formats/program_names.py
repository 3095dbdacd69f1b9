"""Which parts of a printed program get names, and which."""

from __future__ import annotations

import keyword
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from occamhead.expression.graph import Graph
from occamhead.expression.nodes import Affine, Apply, Input

_TAKEN = {"x", "i", "predict", "sum", "min", "max", "abs", "scores",
          "w", "v", "zip"}  # fmt: skip
# More names than this on the left of "= x" are harder to read than x[17].
_MOST_UNPACKED = 8


@dataclass(frozen=True)
class Names:
    """Names in a program.

    Args:
        of: The name of a node, by its position.
        unpacked: The inputs that get their names in one line.
    """

    of: Mapping[int, str]
    unpacked: range


class Naming:
    """Chooses names by how often nodes are read.

    Args:
        graph: The formulas.
        is_truth: Whether a node is 0 or 1 whatever the inputs are.
        groups: Names for the sums of some inputs, by the indices of those inputs.
    """

    def __init__(
        self, graph: Graph, is_truth: Sequence[bool], groups: Mapping[str, Sequence[int]]
    ) -> None:
        self.graph, self.nodes, self.is_truth = graph, graph.nodes, is_truth
        self.groups = {frozenset(indices): name for name, indices in groups.items()}

    def choose(self, reads: Mapping[int, int]) -> Names:
        """The names, given how often each node is read where none has a name.

        Leaves of sums count where they stand alone.
        """
        repeated = {i for i, count in reads.items() if count > 1 and self._is_long(i)}
        # What the user has a name for gets it, even if it is read once.
        repeated |= {i for i in reads if self._group_name(i)}
        inputs, unpacked = self._inputs(
            {i: n for i, n in reads.items() if isinstance(self.nodes[i], Input)}
        )
        taken = {*_TAKEN, *inputs.values(), *map(self.graph.input_name, unpacked)}
        return Names({**inputs, **self._results(sorted(repeated), taken)}, unpacked)

    def _is_long(self, index: int) -> bool:
        """Whether a node is worth a name: more than a variable or its comparison to a number."""
        if not (children := self.nodes[index].children):
            return False
        is_comparison = isinstance(self.nodes[index], Apply) and len(children) == 2
        return not (is_comparison and all(not self.nodes[c].children for c in children))

    def _inputs(self, alone: Mapping[int, int]) -> tuple[dict[int, str], range]:
        """Names of inputs that are read alone so often, and which are unpacked in one line."""
        names, unpacked = self.graph.names, range(0)
        if names is None or not all(is_free(name, _TAKEN) for name in names):
            return {}, unpacked
        indices = {p: node.index for p in alone if isinstance(node := self.nodes[p], Input)}
        telling = [i for i, name in enumerate(names) if name != f"x{i}"]  # more than x[3] does
        everything = len(names) <= _MOST_UNPACKED or not telling
        run = range(len(names)) if everything else range(telling[0], telling[-1] + 1)
        read = sum(count for position, count in alone.items() if indices[position] in run)
        worth = read >= (1 if everything and telling else 2) and (everything or [*run] == telling)
        if 2 <= len(run) <= _MOST_UNPACKED and worth:
            unpacked = run
        return {
            position: names[indices[position]]
            for position, count in alone.items()
            if indices[position] in unpacked or count > 1
        }, unpacked

    def _results(self, positions: Sequence[int], taken: set[str]) -> dict[int, str]:
        chosen: dict[int, str] = {}
        sums = [i for i in positions if self._group_name(i) is None and self._is_sum(i)]
        others = [i for i in positions if self._group_name(i) is None and not self._is_sum(i)]
        for position in positions:
            name = self._group_name(position)
            if name is None:
                stem, alike = ("s", sums) if position in sums else ("t", others)
                name = stem if len(alike) == 1 else f"{stem}{alike.index(position)}"
            while name in taken:
                name += "_"
            taken.add(name)
            chosen[position] = name
        return chosen

    def _is_sum(self, position: int) -> bool:
        return isinstance(self.nodes[position], Affine) and not self.is_truth[position]

    def _group_name(self, position: int) -> str | None:
        node = self.nodes[position]
        if not isinstance(node, Affine) or node.constant or any(c != 1 for c, _ in node.terms):
            return None
        leaves = [self.nodes[child] for child in node.children]
        indices = {leaf.index for leaf in leaves if isinstance(leaf, Input)}
        name = self.groups.get(frozenset(indices)) if len(indices) == len(leaves) else None
        return name if name and is_free(name, _TAKEN) else None


def is_free(name: str, taken: Collection[str]) -> bool:
    """Whether a name can be a variable of its own.

    Python reads some names as others, such as the micro sign as the Greek letter mu (NFKC,
    Python's language reference, 2.3): two inputs would become one.

    Args:
        name: The name.
        taken: Names that the program uses itself.
    """
    is_own = name.isidentifier() and unicodedata.normalize("NFKC", name) == name
    return is_own and not keyword.iskeyword(name) and name not in taken
