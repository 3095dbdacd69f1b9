"""When an answer counts as the law of its line.

An answer is judged apart from the search, on points that the search never saw: fresh ones of a
domain twice as wide, and for a program some just beside each of its thresholds. Every point must
agree to a relative 1e-6; one row in a thousand that is wrong makes a wrong program.
"""

from __future__ import annotations

import numpy as np

from occamhead import Expression
from occamhead.expression import Affine, Apply, Constant, ExpressionBuilder
from recipes.table1_lines.task import POINTS, Array, Task, iterated

TOLERANCE = 1e-6  # relative
ROUNDING = 1e-12  # absolute: what is left where terms of order one cancel
NEARLY = 0.9  # share of the points that must agree for sympy to be asked about the others
# An implicit answer must tell most points off the law from those on it.
OFF_DIFFERENCE, OFF_SHARE = 1e-3, 0.95
# Of constants found in noisy data, supposing that the law is theirs.
FREEDOM = 0.02
MOST_OPERATIONS = 30  # sympy's simplify takes its time over longer ones
PIECEWISE = {"where", "min", "max", "abs", "xor", "le", "lt", "ge", "gt", "eq", "ne"}


def succeeds(task: Task, formula: Expression, times: int = 1, noise: float = 0.0) -> bool:
    """Whether an answer is the law of its task.

    An explicit answer, applied `times` times, must agree with the target at every judged point,
    or sympy must find the two equal. An implicit one must take the target's value on the law; any
    such relation counts (also ``(x0*x1)**2 = 1`` for ``x0*x1 = 1``) if it is not trivial: it
    depends on every input, and at 95 % of points off the law it differs from that value by more
    than 1e-3.

    With noise the law's structure must be there: the answer is judged, as strictly, after its
    constants moved by at most 2 % to fit the noise-free law best. Constants that a sum adds may
    move by 2 % of the target's standard deviation, since they can stand where the law has none.

    Args:
        task: The task.
        formula: The answer: all outputs.
        times: How many times it is to be applied.
        noise: Noise of the data that it was found in; see :meth:`Task.data`.
    """
    if noise:
        formula = nearest(task, formula, times)
    # Terms that cancel on an implicit law can be large: zero is met to their rounding only.
    floor = TOLERANCE if task.implicit else ROUNDING
    agree = _agree(iterated(formula, task.points, times), task.values(task.points), floor)
    if task.implicit:
        return bool(agree.all()) and _is_nontrivial(task, formula)
    if agree.all():
        return True
    # Sympy has a say only where rounding, or a hole such as that of x/x, spoils a few points.
    nearly = float(agree.mean()) > NEARLY and times == task.applied == 1
    return nearly and equal_by_algebra(formula, task.formula)


def _agree(found: Array, wanted: Array, floor: float = ROUNDING) -> Array:
    """Per row, whether all outputs agree; NaN and inf never do."""
    with np.errstate(all="ignore"):
        close = np.abs(found - wanted) <= TOLERANCE * np.abs(wanted) + floor
    return np.asarray(close.all(axis=1) & np.isfinite(found).all(axis=1))


def _is_nontrivial(task: Task, formula: Expression) -> bool:
    generator = np.random.default_rng([task.line, *b"off"])
    on = task.points
    # Each column by itself keeps its values, so that an answer is not judged far from the data.
    shuffled = [generator.permutation(on[:, i]) for i in range(task.num_inputs)]
    off = formula(np.column_stack(shuffled))
    differs = np.abs(off - task.values(on)) > OFF_DIFFERENCE  # NaN does not
    depends = []
    for i, column in enumerate(shuffled):
        changed = on.copy()
        changed[:, i] = column
        depends.append(np.mean(~_agree(formula(changed), formula(on))) > 1 - OFF_SHARE)
    return bool(differs.mean() >= OFF_SHARE) and all(depends)


def equal_by_algebra(formula: Expression, other: Expression) -> bool:
    """Whether sympy simplifies the difference of each output to zero; False where it would toil."""
    import sympy

    for expression in (formula, other):
        used = {node.operator for node in expression.nodes if isinstance(node, Apply)}
        if expression.operations > MOST_OPERATIONS or used & PIECEWISE:
            return False
    pairs = zip(formula.sympy(), other.renamed(formula.names).sympy(), strict=True)
    return all(sympy.simplify(a - b) == 0 for a, b in pairs)


# --- constants found in noise ------------------------------------------------------------------


def nearest(task: Task, formula: Expression, times: int) -> Expression:
    """The formula with its constants moved, by at most `FREEDOM`, to fit the noise-free law.

    Gauss-Newton steps on fresh points of the training domain; see :func:`succeeds`.
    """
    generator = np.random.default_rng([task.line, *b"nearest"])
    x = task.draw(generator, task.ranges, POINTS, wide=False)
    wanted = task.values(x)
    start, added = _numbers(formula)
    size = np.where(added, np.maximum(np.abs(start), wanted.std()), np.abs(start))
    # Zero and one are not constants but the lack of them.
    room = FREEDOM * size * ((start != 0) & (np.abs(start) != 1))

    if not room.any():
        return formula

    def residual(numbers: Array) -> Array:
        return (iterated(_with_numbers(formula, numbers), x, times) - wanted).ravel()

    best = numbers = start
    for _ in range(20):
        error = residual(numbers)
        if not np.isfinite(error).all():
            break
        best = numbers
        steps = np.diag(1e-4 * room)
        slopes = np.stack([(residual(numbers + s) - error) / 1e-4 for s in steps], axis=1)
        slopes[:, ~np.isfinite(slopes).all(axis=0)] = 0.0
        move, *_ = np.linalg.lstsq(slopes, -error, rcond=None)
        numbers = np.clip(numbers + move * room, start - room, start + room)
    return _with_numbers(formula, best)


def _numbers(formula: Expression) -> tuple[Array, Array]:
    """The numbers of a formula in the order of its nodes, and which of them a sum adds."""
    numbers: list[tuple[float, bool]] = []
    for node in formula.nodes:
        if isinstance(node, Constant):
            numbers.append((node.value, False))
        elif isinstance(node, Affine):
            numbers += [(coefficient, False) for coefficient, _ in node.terms]
            numbers.append((node.constant, True))
    return np.array([n for n, _ in numbers]), np.array([a for _, a in numbers], dtype=bool)


def _with_numbers(formula: Expression, numbers: Array) -> Expression:
    """The formula with other numbers, in the order of :func:`_numbers`."""
    builder, following = ExpressionBuilder(), iter(numbers.tolist())
    inputs = {i: builder.input(i) for i in formula.features}
    outputs = builder.copy(formula, inputs, number=lambda _: next(following))
    return builder.build(outputs, formula.num_inputs, formula.names)
