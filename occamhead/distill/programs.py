"""From a discrete head to the shortest program that is proven to equal it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from occamhead.distill.collapse import SMALL, Predict, tables_of
from occamhead.distill.cover import cover_node, two_level
from occamhead.distill.lookup import lookups
from occamhead.distill.one_line import form_node, one_line
from occamhead.distill.prove import Certificate, prove
from occamhead.distill.spec import FeatureSpec
from occamhead.distill.table import Table
from occamhead.distill.tree import if_tree, tree_node
from occamhead.essence import Circuit
from occamhead.essence.formula import conjunctions, of_class
from occamhead.expression import Expression, ExpressionBuilder
from occamhead.expression.formats.program_source import to_program
from occamhead.expression.formats.program_tokens import body_tokens

# In a table so many times larger than another one of the head, and no small one, no program is
# searched for: there is no shorter one but what the table shows by itself.
_TIMES_LARGER = 4


def distill(network: Circuit | Predict, spec: FeatureSpec) -> tuple[Expression, Certificate]:
    """The shortest program of a discrete head, and the certificate that it is the head.

    Written are, for every table that the head is (see :func:`tables_of`), the shortest Boolean
    line, the smallest if-tree, the two-level form and a lookup, and for a circuit its own three
    layers; the one whose body has the fewest Python tokens is proven and returned.

    Args:
        network: A circuit, or a function from whole-number rows [rows, inputs] to classes [rows].
        spec: Names and domains of the inputs.

    Returns:
        A program whose one output is the class, and its certificate; see
        :attr:`Certificate.lossless`.

    Raises:
        ValueError: If a callable has too many inputs to be tabulated or gives no classes, circuit
            and spec differ in their number of inputs, or the circuit is of real inputs.

    Example:
        >>> from occamhead.distill import FeatureSpec, distill
        >>> spec = FeatureSpec.booleans(["left", "centre", "right"])
        >>> program, certificate = distill(lambda x: x[:, 0] ^ (x[:, 1] | x[:, 2]), spec)
        >>> str(program)
        'xor(left, max(centre, right))'
        >>> certificate.kind, certificate.cells, certificate.lossless
        ('exhaustive', 8, True)

    Source: design of ours.
    """
    if isinstance(network, Circuit) and network.inputs != spec.num_inputs:
        raise ValueError(
            f"the circuit takes {network.inputs} inputs, the spec declares {spec.num_inputs}"
        )
    if isinstance(network, Circuit) and network.default is None:
        raise ValueError(
            "a circuit of real inputs has no finite domain to be proven on; its program is the"
            " formula of its class scores: occamhead.essence.class_scores(circuit)"
        )
    tables = tables_of(network, spec)
    most = max(SMALL, _TIMES_LARGER * min((table.values.size for table in tables), default=0))
    written = [f for table in tables for f in _forms(table, spec, table.values.size <= most)]
    own = subconcepts = None
    if isinstance(network, Circuit):
        own, subconcepts = own_layers(network, spec)
        written.append(own)
    program = min(written, key=lambda form: body_tokens(source(form, spec)))
    # Of a program that has the network's layers these are compared as well.
    inner = subconcepts if program is own else None
    certificate = prove(program, network, spec, subconcepts=inner)
    if certificate.wrong:
        raise RuntimeError(f"{program} {certificate}: a fault of occamhead, please report it")
    return program, certificate


def source(program: Expression, spec: FeatureSpec, certificate: Certificate | None = None) -> str:
    """Stand-alone Python of a program: ``predict(x)`` for a list of whole numbers.

    The docstring tells what the certificate says; the word lossless stands there only if the
    program is proven to be the network.
    """
    comment = "The class of x." if certificate is None else _sentence(str(certificate))
    return to_program(program, comment, spec.binary, spec.groups)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _forms(table: Table, spec: FeatureSpec, search: bool) -> Iterator[Expression]:
    """The programs of a table: what it shows by itself, and what is found by a search."""
    writers: list[Callable[[ExpressionBuilder, dict[int, int]], int | None]] = []
    writers += [lookup.node for lookup in lookups(table)]
    if search:
        tree = if_tree(table)
        writers.append(lambda builder, nodes: tree_node(tree, builder, nodes))
    if _is_identity(table):
        writers.append(lambda builder, nodes: nodes[0])
    if period := _period(table):
        divisor = float(period)
        writers.append(lambda b, nodes: b.apply("mod", nodes[0], b.constant(divisor)))
    if search and (line := one_line(table)) is not None:
        writers.append(lambda builder, nodes: form_node(line, builder, nodes))
    if search and (terms := two_level(table)) is not None:
        writers.append(lambda builder, nodes: cover_node(terms, table, builder, nodes))
    for write in writers:
        builder = ExpressionBuilder()
        nodes = {axis: c.node(builder) for axis, c in enumerate(table.coordinates)}
        output = write(builder, nodes)
        if output is not None:
            yield builder.build([output], spec.num_inputs, spec.names)


def _is_identity(table: Table) -> bool:
    """Whether the class is the value of the only coordinate."""
    (*axes,) = table.coordinates
    return len(axes) == 1 and axes[0].is_whole and table.values.tolist() == [*axes[0].starts]


def _period(table: Table) -> int:
    """The period by which the class is the residue of the only coordinate; 0 of other tables.

    Two periods must nearly be there, or nearly everything would be a residue.
    """
    (*axes,), period = table.coordinates, int(table.values.max()) + 1
    if len(axes) != 1 or not axes[0].is_whole or not 1 < period <= (len(axes[0]) + 1) // 2:
        return 0
    return period if np.array_equal(np.array(axes[0].starts) % period, table.values) else 0


def own_layers(circuit: Circuit, spec: FeatureSpec) -> tuple[Expression, Expression]:
    """A circuit as it is: its class, and its subconcepts, one output each.

    Differentiae become comparisons of whole numbers, subconcepts minima of these, and the class
    is a chain of choices, lowest class first.
    """
    builder = ExpressionBuilder()
    subconcepts = conjunctions(circuit, builder)
    assert circuit.default is not None  # `distill` refuses circuits of real inputs
    result = builder.constant(circuit.default)
    for label in sorted(set(circuit.concepts), reverse=True):
        holds = of_class(circuit, label, subconcepts, builder, empty=0)
        result = builder.apply("where", holds, builder.constant(label), result)

    def build(outputs: list[int]) -> Expression:
        return builder.build(outputs, spec.num_inputs, spec.names)

    return build([result]), build(subconcepts)
