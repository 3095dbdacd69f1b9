"""The regressors that the recipes compare, behind one signature.

Every method is called with ``(train, validation, seconds, seed)`` and gives a :class:`Fitted`.
Seconds are process CPU time without imports. gplearn and pyoperon are other people's work and
optional: ``pip install occamhead[benchmark]``.
"""

from __future__ import annotations

import importlib.util
import math
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from occamhead import Expression
from occamhead.checks import needs
from occamhead.expression import ExpressionBuilder, linear_formula
from occamhead.expression.nodes import Affine, Apply
from occamhead.expression.operators import get_operator
from recipes.shared.rows import Part, together


@dataclass(frozen=True)
class Fitted:
    """What a method found.

    Args:
        predict: Rows [n, features] to values [n].
        formula: The formula as the method prints it.
        nodes: Operators, inputs and numbers in the formula written as a tree. pyoperon does not
            count the weight that each of its inputs carries; it is counted by its own rule.
        seconds: CPU seconds spent.
        expression: The formula as an object, where it can be had.
    """

    predict: Callable[[np.ndarray], np.ndarray]
    formula: str
    nodes: int
    seconds: float
    expression: Expression | None = None


Method = Callable[[Part, Part, float, int], Fitted]

OPERATORS = "add,sub,mul,div,sin,cos,exp,logabs"
"""The operators of the paper's supplement H in pyoperon's names; all methods have these."""

ALPHAS = np.logspace(-3, 3, 13)
PIECE = 5000  # pyoperon's evaluations between two looks at the clock
RESTART_SECONDS = 3.0
EXACT = 1e-7  # relative error at which a law is taken as found and the search ends


def mse(prediction: np.ndarray, y: np.ndarray) -> float:
    """Mean squared error; inf where a prediction is not finite."""
    with np.errstate(all="ignore"):
        error = float(np.mean((np.asarray(prediction, dtype=float) - y) ** 2))
    return error if math.isfinite(error) else math.inf


def largest_error(expression: Expression, x: np.ndarray, y: np.ndarray) -> float:
    """The largest ``|p - y| / |y|`` over the rows; inf where a prediction is not finite."""
    with np.errstate(all="ignore"):
        error = float(np.max(np.abs(expression(x)[:, 0] - y) / np.abs(y)))
    return error if math.isfinite(error) else math.inf


def count_nodes(expression: Expression) -> int:
    """Operators, inputs and numbers of all outputs as trees; a shared node counts each time."""
    counts: list[int] = []
    for node in expression.nodes:
        below = sum(counts[child] for child in node.children)
        match node:
            case Affine(constant, terms):
                # Each number comes with the operator that joins it; k terms need k - 1 additions.
                numbers = (constant != 0) + sum(abs(c) != 1 for c, _ in terms)
                negated = len(terms) == 1 and constant == 0 and terms[0][0] == -1
                counts.append(below + 2 * numbers + len(terms) - 1 + negated)
            case Apply(operator, children):
                variadic = get_operator(operator).arity is None
                counts.append(below + (len(children) - 1 if variadic else 1))
            case _:
                counts.append(1)
    return sum(counts[output] for output in expression.outputs)


def _of_expression(expression: Expression, seconds: float) -> Fitted:
    return Fitted(
        lambda x: expression(x)[:, 0],
        str(expression),
        count_nodes(expression),
        seconds,
        expression,
    )


# --- ours -------------------------------------------------------------------------------------


def occamhead(train: Part, validation: Part, seconds: float, seed: int, **options: Any) -> Fitted:
    """Ours: it validates by itself, so it gets the rows of both parts."""
    from occamhead.search.compiling import cpu_seconds
    from occamhead.tables.estimators import OccamRegressor

    x, y = together(train, validation)
    start = cpu_seconds()
    model = OccamRegressor(time_budget=seconds, random_state=seed, **options).fit(x, y)
    spent = cpu_seconds() - start
    return Fitted(model.predict, str(model.best_), count_nodes(model.best_), spent, model.best_)


def occamhead_train(
    train: Part, validation: Part, seconds: float, seed: int, **options: Any
) -> Fitted:
    """Ours as the peers are treated: fitted on the training rows alone, then the formula of its
    front with the lowest validation error."""
    from occamhead.search.compiling import cpu_seconds
    from occamhead.tables.estimators import OccamRegressor

    start = cpu_seconds()
    model = OccamRegressor(time_budget=seconds, random_state=seed, **options)
    front = list(model.fit(*train).equations_["expression"])
    spent = cpu_seconds() - start
    x, y = validation
    best = min(front, key=lambda formula: mse(formula(x)[:, 0], y))
    return _of_expression(best, spent)


# --- peers ------------------------------------------------------------------------------------


def ridge(train: Part, validation: Part, seconds: float, seed: int) -> Fitted:
    """A linear formula, its penalty chosen by leave-one-out on the rows of both parts."""
    return ridge_train(together(train, validation), validation, seconds, seed)


def ridge_train(train: Part, validation: Part, seconds: float, seed: int) -> Fitted:
    """The same on the training rows alone."""
    with needs("scikit-learn", "ridge regression"):
        from sklearn.linear_model import RidgeCV

    start = time.process_time()
    model = RidgeCV(ALPHAS).fit(*train)
    spent = time.process_time() - start
    coefficients, intercepts = np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_)
    return _of_expression(linear_formula(coefficients, intercepts), spent)


def gplearn(train: Part, validation: Part, seconds: float, seed: int) -> Fitted:
    """gplearn with its defaults, continued generation by generation until the time is over.

    Its best program of each generation is shown; the one of lowest validation error is kept.
    """
    from gplearn.functions import make_function
    from gplearn.genetic import SymbolicRegressor

    # gplearn asks for functions without infinities.
    exp = make_function(
        function=lambda a: np.exp(np.minimum(a, 50.0)), name="exp", arity=1, wrap=False
    )
    start = time.process_time()
    model = SymbolicRegressor(
        generations=1,
        function_set=("add", "sub", "mul", "div", "sin", "cos", "log", exp),
        metric="mse",
        warm_start=True,
        low_memory=True,
        random_state=seed,
    )
    best, lowest = None, math.inf
    with np.errstate(all="ignore"):
        while best is None or time.process_time() - start < seconds:
            program = model.fit(*train)._program
            error = mse(program.execute(validation[0]), validation[1])
            if best is None or error < lowest:
                best, lowest = program, error
            if program.raw_fitness_ <= model.stopping_criteria:
                break  # exact: nothing is left to find
            model.generations += 1
    spent = time.process_time() - start

    def predict(x: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return np.asarray(best.execute(x))

    return Fitted(predict, str(best), best.length_, spent)


def operon(
    train: Part,
    validation: Part,
    seconds: float,
    seed: int,
    operators: str = OPERATORS,
    refit: Callable[[Expression, np.ndarray, np.ndarray], Expression] | None = None,
    max_length: int = 50,
) -> Fitted:
    """pyoperon with constants fitted by Levenberg-Marquardt, begun anew every three seconds.

    After each piece of 5,000 evaluations its best formula is shown; the one of lowest validation
    error is kept.

    Args:
        operators: Its ``allowed_symbols`` besides constant and variable.
        refit: For data without noise: fits the kept formula's numbers once more on the training
            rows, in float64 where pyoperon computes in float32; an exact formula ends the search.
        max_length: Most nodes of a tree; 50 is pyoperon's own.
    """
    from pyoperon.sklearn import SymbolicRegressor

    start = began = time.process_time()
    x, y = validation
    model: Any = None
    kept: Any = None
    pieces, lowest, near = 0, math.inf, 1e-7 * float(np.var(y))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of formulas without an input
        while kept is None or time.process_time() - start < seconds:
            if model is None or time.process_time() - began >= RESTART_SECONDS:
                began = time.process_time()
                model = SymbolicRegressor(
                    allowed_symbols=f"{operators},constant,variable",
                    optimizer_iterations=5,
                    max_evaluations=PIECE,
                    generations=PIECE,
                    max_length=max_length,
                    epsilon=0.0,
                    model_selection_criterion="mean_squared_error",
                    warm_start=True,
                )
            # Every piece draws from a new generator: the same seed would repeat its choices.
            model.random_state = 100_000 * seed + pieces
            pieces += 1
            model.fit(*train)
            error = mse(model.predict(x), y)
            if kept is None or error < lowest:
                kept, lowest = model.model_, error
                formula = operon_expression(kept, list(model.variables_))
                if refit and formula is not None and lowest < near:
                    polished = refit(formula, *train)
                    if largest_error(polished, x, y) <= EXACT:
                        break
        text = model.get_model_string(kept, 9)
    if refit and formula is not None:
        polished = refit(formula, *train)
        if mse(polished(x)[:, 0], y) <= lowest:
            spent = time.process_time() - start
            return replace(_of_expression(polished, spent), nodes=kept.Length)
    spent = time.process_time() - start
    return Fitted(lambda x: model.evaluate_model(kept, x), text, kept.Length, spent, formula)


_OPERON = {"Mul": "mul", "Div": "div", "Pow": "pow", "Sin": "sin", "Cos": "cos", "Exp": "exp"}


def operon_expression(tree: Any, hashes: Sequence[int]) -> Expression | None:
    """An Operon tree as an expression over the inputs of these hashes, in their order.

    None if the tree holds a number that is not finite.
    """
    index = {value: position for position, value in enumerate(hashes)}
    builder = ExpressionBuilder()
    stack: list[int] = []
    try:
        for node in tree.Nodes:
            # Postfix; the first argument is the subtree next to the operator.
            args = [stack.pop() for _ in range(node.Arity)]
            match node.Type.name:
                case "Constant":
                    stack.append(builder.constant(node.Value))
                case "Variable":
                    leaf = builder.input(index[node.HashValue])
                    stack.append(builder.affine(0.0, [(node.Value, leaf)]))
                case "Add":
                    stack.append(builder.affine(0.0, [(1.0, a) for a in args]))
                case "Sub":
                    stack.append(builder.affine(0.0, [(1.0, args[0]), (-1.0, args[1])]))
                case "Logabs":
                    stack.append(builder.apply("log", builder.apply("abs", *args)))
                case "Sqrt":
                    stack.append(builder.apply("pow", *args, builder.constant(0.5)))
                case "Square":
                    stack.append(builder.apply("pow", *args, builder.constant(2.0)))
                case name:
                    stack.append(builder.apply(_OPERON[name], *args))
    except ValueError:
        return None
    return builder.build(stack, len(hashes))


# --- by name ------------------------------------------------------------------------------------

METHODS: dict[str, Method] = {
    "occamhead": occamhead,
    "occamhead (train)": occamhead_train,
    "ridge": ridge,
    "ridge (train)": ridge_train,
    "gplearn": gplearn,
    "operon": operon,
}
_NEEDS = {"ridge": "sklearn", "gplearn": "gplearn", "operon": "pyoperon"}


def get_methods(names: Iterable[str]) -> dict[str, Method]:
    """Methods by name.

    Raises:
        ValueError: If a name is unknown, or what it needs is not installed.
    """
    methods = {}
    for name in names:
        if name not in METHODS:
            raise ValueError(f"unknown method {name!r}; known: {', '.join(METHODS)}")
        needed = _NEEDS.get(name.split()[0])
        if needed and importlib.util.find_spec(needed) is None:
            raise ValueError(
                f"method {name!r} needs {needed}: pip install 'occamhead[benchmark]', "
                "or leave it out of --methods"
            )
        methods[name] = METHODS[name]
    return methods
