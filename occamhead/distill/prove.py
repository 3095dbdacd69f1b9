"""Whether a program is the network: certificates.

A program and a circuit both read their inputs through linear forms. Inputs that have equal
coefficients in every form of both act through their sum alone, so that comparing the two on every
value of these sums compares them on every input; so does comparing them on every combination of
intervals on which no comparison of either changes. The proof takes its forms from the program
itself, so that a program which is wrong cannot hide behind the symmetry of the network.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from occamhead.distill.collapse import (
    Predict,
    System,
    blocks,
    circuit_cuts,
    classes_said,
    cut_coordinates,
    cuts,
    directions,
)
from occamhead.distill.spec import FeatureSpec, grid
from occamhead.essence import Circuit
from occamhead.expression import Affine, Apply, Constant, Expression, ExpressionBuilder, Input, Node
from occamhead.expression.operators import CONDITION, get_operator

Kind = Literal["exhaustive", "block", "interval", "weights", "sampled"]
MOST_CELLS = 1 << 20
_AT_ONCE = 1 << 16


@dataclass(frozen=True)
class Certificate:
    """What was compared, and how it came out.

    Args:
        kind: "exhaustive": every input; "block": every value of the sums over exchangeable
            inputs; "interval": every combination of the intervals of shared directions;
            "weights": every weight and threshold of both, neuron by neuron; "sampled": some
            inputs, which proves nothing.
        cells: How many inputs, values, combinations or weights were compared.
        wrong: On how many of them the two differ.
        obstacle: For "sampled": why no proof was possible.
        seed: For "sampled": the seed of the inputs.
    """

    kind: Kind
    cells: int
    wrong: int
    obstacle: str = ""
    seed: int | None = None

    @property
    def lossless(self) -> bool:
        """Whether program and network are proven to be equal on every input."""
        return self.wrong == 0 and self.kind != "sampled"

    def __str__(self) -> str:
        if self.wrong:
            return f"differs from the network on {self.wrong} of {self.cells} cells ({self.kind})"
        places = {
            "exhaustive": "inputs",
            "block": "values of its sums over exchangeable inputs",
            "interval": "combinations of its intervals",
            "weights": "weights and thresholds",
            "sampled": f"inputs drawn with seed {self.seed}",
        }[self.kind]
        if self.lossless:
            return f"lossless: equals the network on all {self.cells} {places} ({self.kind})"
        return f"equals the network on {self.cells} {places}; {self.obstacle}"


def prove(
    program: Expression,
    network: Circuit | Predict,
    spec: FeatureSpec,
    *,
    subconcepts: Expression | None = None,
    most_cells: int = MOST_CELLS,
    samples: int = 10_000,
    seed: int = 0,
) -> Certificate:
    """Compare a program with a network on every cell, or on samples if there are too many.

    Args:
        program: One output is the class itself; of several the class is the first of the highest.
        network: A circuit, or a function from rows [rows, inputs] to classes [rows].
        spec: Names and domains of the inputs.
        subconcepts: With a circuit: one output per subconcept, which is compared as well.
        most_cells: Most cells that are compared for a proof.
        samples: Inputs that are drawn where no proof is possible.
        seed: Seed of these.

    Raises:
        ValueError: If program, network and spec differ in their inputs.
    """
    widths = {program.num_inputs, spec.num_inputs}
    if isinstance(network, Circuit):
        widths.add(network.inputs)
    if len(widths) > 1:
        raise ValueError(
            f"program, network and spec must have the same inputs, got {sorted(widths)} of them"
        )
    checked = [program] if subconcepts is None else [program, subconcepts]
    if not isinstance(network, Circuit):
        if spec.num_rows <= most_cells:
            return _compare("exhaustive", checked, network, spec.rows())
        obstacle = f"the {spec.num_rows} inputs are more than {most_cells}, a circuit has blocks"
        return _sampled(checked, network, spec, obstacle, samples, seed)

    forms = np.concatenate([network.weights, *map(_forms, checked)])
    by_block = blocks(forms, spec)
    if by_block.num_cells <= most_cells:
        values = grid([np.arange(low, high + 1) for low, high in by_block.bounds])
        kind: Kind = "exhaustive" if by_block.num_cells == spec.num_rows else "block"
        return _compare(kind, *_over(by_block, checked, network), values)
    by_direction = directions(forms, spec)
    reduced, circuit = _over(by_direction, checked, network)
    at = set(circuit_cuts(by_direction, network))
    read: set[int] = set()
    for part in reduced:
        at |= _cuts(part)
        read |= _read(part)
    coordinates = cut_coordinates(by_direction, at)
    ranges = [range(low, high + 1) for low, high in by_direction.bounds]
    starts = [ranges[k] if k in read else c.starts for k, c in enumerate(coordinates)]
    num_cells = math.prod(map(len, starts))
    obstacle = (
        f"a block certificate needs {by_block.num_cells} cells and an interval certificate"
        f" {num_cells}, more than {most_cells}"
    )
    if num_cells <= most_cells:
        cells = grid([np.array(values, dtype=np.int64) for values in starts])
        found = _compare("interval", reduced, circuit, cells)
        if found.wrong == 0:
            return found
        # Coordinates are not independent, so that this is no proof of a difference either.
        obstacle = (
            f"they differ on {found.wrong} of {num_cells} combinations of intervals, which perhaps"
            " no input reaches"
        )
    return _sampled(checked, network, spec, obstacle, samples, seed)


def classes_of(program: Expression, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The class that a program gives each row [rows, inputs]; -1 where it gives no whole number."""
    values = np.asarray(program(rows))
    if len(program) > 1:
        return np.asarray(values.argmax(axis=-1), dtype=np.int64)
    whole = np.isfinite(values[..., 0]) & (values[..., 0] == np.floor(values[..., 0]))
    return np.where(whole, values[..., 0], -1).astype(np.int64)


def _sampled(
    checked: list[Expression],
    network: Circuit | Predict,
    spec: FeatureSpec,
    obstacle: str,
    samples: int,
    seed: int,
) -> Certificate:
    found = _compare("sampled", checked, network, spec.sample(samples, seed))
    return replace(found, obstacle=obstacle, seed=seed)


def _compare(
    kind: Kind, checked: list[Expression], network: Circuit | Predict, rows: NDArray[np.int64]
) -> Certificate:
    wrong = 0
    for start in range(0, len(rows), _AT_ONCE):
        part = rows[start : start + _AT_ONCE]
        predict = network.predict if isinstance(network, Circuit) else network
        differ = classes_of(checked[0], part) != classes_said(predict, part)
        if len(checked) > 1 and isinstance(network, Circuit):
            inner = np.asarray(checked[1](part)) != network.subconcepts(part)
            differ |= inner.any(axis=-1)
        wrong += int(differ.sum())
    return Certificate(kind, len(rows), wrong)


# --- programs and circuits over other coordinates -------------------------------------------------


def _linear(program: Expression) -> dict[int, tuple[float, tuple[tuple[float, int], ...]]]:
    """The nodes that are linear in the inputs alone and are read by others or are outputs:
    by position, constant and (coefficient, input) pairs. Inputs inside of them are not listed."""
    found: dict[int, tuple[float, tuple[tuple[float, int], ...]]] = {}
    alone = set(program.outputs)
    for position, node in enumerate(program.nodes):
        inner = [program.nodes[child] for child in node.children]
        if isinstance(node, Affine) and all(isinstance(leaf, Input) for leaf in inner):
            pairs = tuple(
                (c, leaf.index)
                for (c, _), leaf in zip(node.terms, inner, strict=True)
                if isinstance(leaf, Input)
            )
            found[position] = node.constant, pairs
        else:
            alone.update(node.children)
    for position in alone:
        node = program.nodes[position]
        if isinstance(node, Input):
            found[position] = 0.0, ((1.0, node.index),)
    return found


def _forms(program: Expression) -> NDArray[np.int64]:
    """The linear forms of a program, [forms, inputs]."""
    linear = _linear(program)
    forms = np.zeros((len(linear), program.num_inputs), dtype=np.int64)
    for row, position in enumerate(linear):
        for coefficient, index in linear[position][1]:
            if coefficient != int(coefficient):
                raise ValueError(
                    f"a program of whole numbers has whole coefficients, got {coefficient};"
                    " multiply the sum by its denominator"
                )
            forms[row, index] += int(coefficient)
    return forms


def _over(
    system: System, programs: list[Expression], circuit: Circuit
) -> tuple[list[Expression], Circuit]:
    """The programs and the circuit as functions of the coordinates."""
    matrix = system.matrix[: len(circuit.weights)]
    first, reduced = len(matrix), []
    for program in programs:
        linear = _linear(program)
        builder, placed = ExpressionBuilder(), list[int]()
        rows = dict(zip(linear, system.matrix[first:], strict=False))
        first += len(linear)
        for position, node in enumerate(program.nodes):
            match node:
                case _ if position in linear:
                    pairs = [(float(c), builder.input(k)) for k, c in enumerate(rows[position])]
                    placed.append(builder.affine(linear[position][0], pairs))
                case Input():
                    placed.append(-1)  # inside linear nodes only
                case Constant(value):
                    placed.append(builder.constant(value))
                case Affine(constant, terms):
                    placed.append(builder.affine(constant, [(c, placed[i]) for c, i in terms]))
                case Apply(name, children):
                    placed.append(builder.apply(name, *(placed[i] for i in children)))
        outputs = [placed[output] for output in program.outputs]
        reduced.append(builder.build(outputs, len(system.terms)))
    return reduced, replace(circuit, weights=matrix)


def _values(program: Expression) -> dict[int, tuple[int, int, float]]:
    """The nodes over one coordinate alone: by position, coordinate, factor and constant."""
    found: dict[int, tuple[int, int, float]] = {}
    for position, node in enumerate(program.nodes):
        match node:
            case Input(k):
                found[position] = k, 1, 0.0
            case Affine(constant, ((c, i),)) if isinstance(leaf := program.nodes[i], Input):
                found[position] = leaf.index, int(c), constant
    return found


def _bound(program: Expression, node: Node) -> float | None:
    """The number that a comparison compares its first argument with, if it is one."""
    if isinstance(node, Apply) and get_operator(node.operator).infix and len(node.children) == 2:
        bound = program.nodes[node.children[1]]
        if get_operator(node.operator).kind == CONDITION and isinstance(bound, Constant):
            return bound.value
    return None


def _cuts(program: Expression) -> set[tuple[int, int]]:
    """Where the comparisons of a program over coordinates change."""
    values, found = _values(program), set[tuple[int, int]]()
    for node in program.nodes:
        bound = _bound(program, node)
        if bound is not None and node.children[0] in values:
            k, factor, constant = values[node.children[0]]
            found |= {(k, value) for value in cuts(factor, constant - bound)}
    return found


def _read(program: Expression) -> set[int]:
    """The coordinates of which a program reads more than comparisons with numbers."""
    values = _values(program)
    read = {i for i in program.outputs if i in values}
    for position, node in enumerate(program.nodes):
        if position not in values and _bound(program, node) is None:
            read |= {child for child in node.children if child in values}
    return {values[i][0] for i in read}
