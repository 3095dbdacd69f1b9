"""What a search returns."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from occamhead.expression import Expression, ExpressionBuilder
from occamhead.expression.tidy import tidy
from occamhead.search.archive import Archive
from occamhead.search.checks import warn_nothing_found
from occamhead.search.counts import Counts
from occamhead.search.judging.evaluator import Evaluator
from occamhead.search.learner import Learner


@dataclass(frozen=True)
class Found:
    """A function of one output.

    Args:
        expression: The function, simplified; its constants fitted and tidied.
        error: Root mean squared error over the target's standard deviation.
        fitness: Fitness K under the search's settings, in [0, 1] before penalties.
        complexity: Nodes of the expression tree plus free constants, as it was sampled.
        log_prob: log q under the network at the end, each edge of the DAG once.
    """

    expression: Expression
    error: float
    fitness: float
    complexity: int
    log_prob: float


@dataclass(frozen=True)
class Result:
    """The outcome of a search.

    Args:
        best: The best function of each output, as one expression.
        mode: The network's most probable function (supplement C), as one expression.
        fronts: For each output the Pareto front of error against complexity, simplest first. With
            recurrence both are of all outputs together: the largest error, the sum of nodes.
        chosen: For each output the place in its front of what `best` holds; None if nothing
            was found.
        recurrence: How often `best` is applied (1 without recurrence).
        reason: Why the search ended.
        steps, functions, evaluated, restarts: Steps, functions sampled, distinct nodes
            evaluated or fitted, and restarts.
        first_exact: Functions sampled when every output had an error of at most 1e-6; None if
            that never was.
        seconds: CPU seconds of the process, without what numba took to compile the search.
        routes: Routes of all functions of the fronts, [functions, P-nodes]; ``to_routes`` gives
            them the form that :class:`OccamNet` takes.
    """

    best: Expression
    mode: Expression
    fronts: tuple[tuple[Found, ...], ...]
    chosen: tuple[int | None, ...]
    recurrence: int
    reason: str
    steps: int
    functions: int
    evaluated: int
    restarts: int
    first_exact: int | None
    seconds: float
    routes: NDArray[np.int32]

    @property
    def error(self) -> tuple[float, ...]:
        """Error of the best function of each output."""
        return tuple(
            math.inf if place is None else front[place].error
            for front, place in zip(self.fronts, self.chosen, strict=True)
        )


def make_result(
    learner: Learner, evaluator: Evaluator, archive: Archive, counts: Counts, reason: str
) -> Result:
    """Read the result off the parts of a search that has ended.

    Args:
        learner: For the most probable function, and the probabilities of all.
        evaluator, archive: Where the functions are.
        counts: How far the search went.
        reason: Why it ended.
    """
    answers = archive.answer(evaluator.rows)
    fronts, chosen, best = [], [], []
    missing = []
    for j, answer in enumerate(answers):
        complexities = archive.front(j)
        front = tuple(_found(learner, evaluator, archive, j, each) for each in complexities)
        fronts.append(front)
        chosen.append(None if answer is None else complexities.index(answer))
        if answer is None:
            missing.append(j)
            builder = ExpressionBuilder()
            target, weights = evaluator.scoring.targets[j], evaluator.scoring.weights
            mean = builder.constant(float(target @ weights))
            best.append(builder.build([mean], evaluator.store.num_inputs))
        else:
            best.append(front[complexities.index(answer)].expression)
    if missing:
        warn_nothing_found(missing)
    roots = evaluator.judge_route(learner.mode(), counts.steps).root[0].tolist()
    mode = join([_formula(evaluator, root, j) for j, root in enumerate(roots)])
    recurrence = 1
    if evaluator.recurrence is not None and not missing:
        tops = np.array([archive.root[j, c] for j, c in enumerate(answers)], np.int32)
        recurrence = evaluator.recurrence.scores(tops)[1]
    return Result(
        join(best), mode, tuple(fronts), tuple(chosen), recurrence, reason, counts.steps,
        counts.functions, evaluator.evaluated, counts.restarts, counts.first_exact,
        counts.seconds,
        np.concatenate([archive.choices[j, archive.front(j)] for j in range(len(fronts))]),
    )  # fmt: skip


def _found(
    learner: Learner, evaluator: Evaluator, archive: Archive, output: int, complexity: int
) -> Found:
    root = int(archive.root[output, complexity])
    route = archive.choices[output, complexity]
    reached = route >= 0
    log_prob = float(learner.log_probs[reached, route[reached]].sum())
    fitness = evaluator.store.nodes.fitness[root, output]
    if evaluator.recurrence is not None:
        scores, _ = evaluator.recurrence.scores(archive.root[:, complexity].copy())
        fitness = scores.fitness[output]
    return Found(
        _formula(evaluator, root, output),
        float(archive.error[output, complexity]),
        float(fitness),
        complexity,
        log_prob,
    )


def _formula(evaluator: Evaluator, root: int, output: int) -> Expression:
    """The function of a root, its constants fitted to the end and made simple."""
    scoring, nodes = evaluator.scoring, evaluator.store.nodes
    fitted = nodes.num_constants[root] > 0 or evaluator.judging.scaled
    if nodes.num_constants[root] > 0 and np.isfinite(nodes.error[root, output]):
        assert evaluator.fitter is not None
        evaluator.fitter.polish(root, output, evaluator.values.host())
    expression = evaluator.function([root], [output]).expression().simplified()
    if not fitted or not np.isfinite(nodes.error[root, output]):
        return expression
    x = evaluator.inputs.T[: scoring.targets.shape[1]]
    return tidy(expression, x, scoring.targets[output], scoring.weights, scoring.deviations[output])


def join(expressions: list[Expression]) -> Expression:
    """Expressions over the same inputs as one with all their outputs; equal parts are shared."""
    builder = ExpressionBuilder()
    outputs = []
    for expression in expressions:
        inputs = {i: builder.input(i) for i in expression.features}
        outputs += builder.copy(expression, inputs)
    return builder.build(outputs, expressions[0].num_inputs)
