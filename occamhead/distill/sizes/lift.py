"""From circuits for a few sizes to one program for every size.

The directions of the circuits are read as one family of weights by position; each training row is
then a number, its weighted sum, and what the classes do along that number is read as bounds or
residues whose constants are formulas of the size. At the sizes of the circuits the program is then
compared with them on every input. At others nothing is proven by that: there a lifted program is a
conjecture, and held-out sizes have to agree.

Source: design of ours; the public record is silent on sizes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from occamhead.distill.prove import Certificate, prove
from occamhead.distill.sizes.lifted import Lifted, source_of
from occamhead.distill.sizes.lifted_certificate import LiftedCertificate
from occamhead.distill.sizes.proposals import Circuits, Samples, pair_rules, sum_rules
from occamhead.distill.sizes.recurrence import Recurrence
from occamhead.distill.sizes.rules import SizeRule
from occamhead.distill.spec import FeatureSpec, Int
from occamhead.essence import Circuit
from occamhead.essence.arrays import Ints
from occamhead.expression import Expression
from occamhead.expression.formats.program_tokens import body_tokens

LabelledRows: TypeAlias = tuple[ArrayLike, ArrayLike]

_FEWEST_SIZES = 3  # two points fit any line


def lift(
    circuits: Mapping[int, Circuit | Sequence[Circuit]],
    rows: Mapping[int, LabelledRows],
    holdout: Mapping[int, LabelledRows],
    domain: Int | None = None,
) -> Lifted:
    """The shortest program for every size that is right at all of these.

    Two kinds of programs are looked for. One reads the class off one weighted sum of the entries:
    the weights are 1, ``2**i`` or i + 1 along each of up to four equal parts of the list, and the
    class changes at a few bounds or is a residue, of constants that are formulas of the size (see
    :func:`occamhead.distill.sizes.size_formulas.fit`). The other compares all pairs of entries:
    argmax or argmin.

    Args:
        circuits: By number of inputs, the circuit that was learned there, or one per output; at
            three sizes or more.
        rows: By the same sizes, the inputs [rows, size] and the classes [rows] or
            [rows, outputs] that they were learned from.
        holdout: The same for other sizes, which take no part in fitting: the whole truth or a
            sample.
        domain: What an entry can be, at every size; by default the numbers from the least to the
            largest entry of `rows`. On all such lists the program is compared with the circuits.

    Raises:
        ValueError: If there are fewer than three sizes or none held out, if sizes or shapes do not
            fit, or if no program is right at all sizes; the message says how far the search came.

    Example:
        >>> from occamhead.distill import FeatureSpec, lift
        >>> from occamhead.essence import fit_circuit
        >>> x = {n: FeatureSpec.booleans(n).rows() for n in (3, 4, 5, 6)}
        >>> data = {n: (x[n], x[n].sum(axis=1) > n // 2) for n in x}
        >>> held_out = {6: data.pop(6)}
        >>> lifted = lift({n: fit_circuit(*pair) for n, pair in data.items()}, data, held_out)
        >>> lifted.source().splitlines()[-2:]
        ['    s = sum(x)', '    return s > n // 2']
    """
    heads = {n: [c] if isinstance(c, Circuit) else list(c) for n, c in circuits.items()}
    seen, held_out = _samples(rows), _samples(holdout)
    _check(heads, seen, held_out)
    many = any(not isinstance(c, Circuit) for c in circuits.values())
    candidates: list[SizeRule] = list(sum_rules(heads, seen, many))
    if not many:
        candidates += pair_rules({n: c[0] for n, c in heads.items()})
    right = [rule for rule in candidates if _errors(rule, seen) == 0]
    if not right:
        raise ValueError(
            f"no program of one weighted sum or of all pairs explains sizes {sorted(seen)}, of"
            f" {len(candidates)} that were looked at; the weights of the circuits perhaps differ"
            " by size, or the rows are too few"
        )
    right.sort(key=lambda rule: body_tokens(source_of(rule)))
    if domain is None:
        entries = [x for x, _ in seen.values()]
        domain = Int(min(int(x.min()) for x in entries), max(int(x.max()) for x in entries))
    lifted = _accepted(right, seen, held_out)
    proofs = {n: _proofs(lifted, found, domain) for n, found in heads.items()}
    certificate = replace(lifted.certificate, proofs=proofs, domain=domain)
    return replace(lifted, certificate=certificate)


def _proofs(lifted: Lifted, circuits: Sequence[Circuit], domain: Int) -> tuple[Certificate, ...]:
    """One certificate per output of the program at the size of the circuits."""
    size = circuits[0].inputs
    names = FeatureSpec.booleans(size).names
    spec = FeatureSpec(names, (domain,) * size)
    try:
        program = lifted.at(size)
        return tuple(prove(program[k], circuit, spec) for k, circuit in enumerate(circuits))
    except ValueError as obstacle:  # numbers that float64 does not hold; the rows agreed
        return (Certificate("sampled", cells=0, wrong=0, obstacle=str(obstacle)),)


def lift_step(
    output: Expression,
    state: Expression,
    spec: FeatureSpec,
    holdout: Mapping[int, LabelledRows],
) -> Lifted:
    """The program that runs a distilled step along a list of any length.

    That the task is a recurrence is declared, not found; what is learned is its step.

    Args:
        output: What a step puts out, as :func:`occamhead.distill.distill` gives it.
        state: The state that it hands on; 0 at the start.
        spec: Names and domains of the inputs of both: one entry of each part of the list, and the
            state as the last.
        holdout: By length of the list, inputs [rows, length] and answers [rows, outputs]: one per
            step, and the last state.

    Raises:
        ValueError: If nothing is held out, or the program is wrong there.
    """
    held_out = _samples(holdout)
    if not held_out:
        raise ValueError("holdout holds no size; a lifted program has to be checked at one")
    return _accepted([Recurrence(output, state, spec)], {}, held_out)


# --- checks ---------------------------------------------------------------------------------------


def _samples(rows: Mapping[int, LabelledRows]) -> Samples:
    """The rows as arrays, the classes [rows, outputs]."""
    found: dict[int, tuple[Ints, Ints]] = {}
    for size, (x, y) in sorted(rows.items()):
        inputs, labels = np.asarray(x).astype(np.int64), np.asarray(y).astype(np.int64)
        if inputs.ndim != 2 or inputs.shape[1] != size or len(labels) != len(inputs):
            raise ValueError(
                f"size {size} needs inputs [rows, {size}] and as many classes, got shapes"
                f" {inputs.shape} and {labels.shape}"
            )
        if not (np.array_equal(inputs, x) and np.array_equal(labels, y)):
            raise ValueError(f"inputs and classes of size {size} hold fractions; round or bin them")
        found[size] = inputs, labels.reshape(len(labels), -1)
    return found


def _check(heads: Circuits, seen: Samples, held_out: Samples) -> None:
    if len(heads) < _FEWEST_SIZES or set(heads) != set(seen):
        raise ValueError(
            f"circuits and rows of the same three sizes or more are needed, got circuits of"
            f" {sorted(heads)} and rows of {sorted(seen)}"
        )
    if not held_out or set(held_out) & set(seen):
        raise ValueError(
            f"holdout must hold sizes other than {sorted(seen)}, got {sorted(held_out)}"
        )
    for n, found in heads.items():
        if any(circuit.inputs != n for circuit in found) or len(found) != seen[n][1].shape[1]:
            raise ValueError(
                f"at size {n} there are circuits of {[c.inputs for c in found]} inputs for"
                f" {seen[n][1].shape[1]} outputs; give one of {n} inputs per output"
            )


def _errors(rule: SizeRule, samples: Samples) -> int:
    wrong = 0
    for n, (x, y) in samples.items():
        if n % rule.parts:
            wrong += len(x)
            continue
        for row, label in zip(x.tolist(), y.tolist(), strict=True):
            answer = rule.value(row)
            wrong += (answer if isinstance(answer, list) else [answer]) != label
    return wrong


def _accepted(right: Sequence[SizeRule], seen: Samples, held_out: Samples) -> Lifted:
    """The first rule that is right on all that is held out."""
    fitted = {n: len(x) for n, (x, _) in seen.items()}
    checked = {n: len(x) for n, (x, _) in held_out.items()}
    for refuted, rule in enumerate(right):
        if _errors(rule, held_out) == 0:
            return Lifted(rule, LiftedCertificate(fitted, checked, refuted))
    text = "".join(f"\n    {line}" for line in right[0].lines())
    raise ValueError(
        f"a program that is right at {f'sizes {sorted(seen)}' if seen else 'its step'} is wrong on"
        f" {_errors(right[0], held_out)} of {sum(checked.values())} held-out rows of sizes"
        f" {sorted(checked)}; learn at these sizes as well, and hold out others:{text}"
    )
