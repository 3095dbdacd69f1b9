"""Essence heads on real features, beside OccamHead, a dense head and an RBF machine.

``python -m recipes.essence_heads`` takes scikit-learn's digits, iris, wine and cancer tables (70
rows of 100 to learn from, as many seeds as splits), two sets of photographs by their features, and
three shapes in the plane that no few lines bound. Everything is chosen among the rows to learn from
(in five folds; OccamHead and dense head on a fifth), then fitted to all of them, and tested once:

- essence: the printed source of the circuit that did best in the folds;
- essence_short: that of the circuit of fewest weights that did about as well;
- essence_soft: the soft network of `essence`;
- occamhead: the printed formula of an OccamHead of at most 32 features, or 16 for each of several
  classes;
- dense: logistic regression; rbf: a support vector machine with a Gaussian kernel; mlp.

On the shapes: circuits of lines, of quadrics, and of formulas that an OccamNet finds, with the
number of their differentiae. No certificate is possible: real inputs have no finite domain.

Source: the heads are those of Blazek & Lin, Nat Comput Sci 1, 607-618, 2021, as
``occamhead.essence.fit_real_circuit`` has them.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from occamhead import Expression
from occamhead.essence import choose_real_options
from occamhead.expression.formats.program_source import to_program
from occamhead.expression.formats.program_tokens import body_tokens
from occamhead.heads.essence import EssenceHead
from occamhead.rows.dense import choose_dense_head, fit_dense_head
from occamhead.rows.objective import one_thread
from occamhead.training.path import fit_path
from occamhead.vision import Backbone, featurise, load_backbone, photograph_splits
from recipes.others import ours as formula_heads
from recipes.shared.flags import recipe_parser
from recipes.shared.output import quieten, say
from recipes.shared.printed import defined_by
from recipes.shared.results import prepare, write_results

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Part = tuple[Floats, Ints]

TABLES = ("digits", "iris", "wine", "cancer")
PHOTOGRAPHS = ("hymenoptera", "imagenette_springer_truck")
SHAPES: Mapping[str, Callable[[Floats], NDArray[np.bool_]]] = {
    "disc": lambda x: np.square(x).sum(axis=1) < 2,
    "product": lambda x: x[:, 0] * x[:, 1] > 0.5,
    "wave": lambda x: x[:, 1] > np.sin(2 * x[:, 0]),
}
TASKS = (*TABLES, *PHOTOGRAPHS, *SHAPES)
SHAPE_ROWS, SHAPE_TESTS = 400, 4000
NO_CERTIFICATE = "none: real inputs have no finite domain"


def arguments() -> argparse.ArgumentParser:
    parser = recipe_parser("essence_heads", __doc__)
    add = parser.add_argument
    add("--tasks", nargs="+", choices=TASKS, default=list(TASKS), metavar="TASK",
        help=f"of {', '.join(TASKS)}")  # fmt: skip
    add("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    add("--data", help="folder with the photographs; default: below $OCCAMHEAD_DATA")
    add("--weights", help="file of ResNet-50's weights; default: download, see the README")
    add("--cache", help="folder of the feature cache; default ~/.cache/occamhead/features")
    return parser


@one_thread()
def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the recipe; returns what it writes to results.json."""
    args = arguments().parse_args(argv)
    quieten()
    out = prepare(args.out, "essence_heads", args.overwrite)
    rows: list[dict[str, Any]] = []
    notices = []
    for task in args.tasks:
        for seed in args.seeds:
            if task in SHAPES:
                found = on_shape(task, seed)
            elif task in TABLES:
                found = on_rows(task, *table(task, seed), seed)
            else:
                train, validation, test, notice = photographs(task, seed, args)
                found = on_rows(task, train, validation, test, seed)
                notices += [notice] if notice and notice not in notices else []
            rows += found
            say(f"{task}, seed {seed}: " + ", ".join(f"{r['method']} {r['accuracy']:.3f}"
                                                     for r in found))  # fmt: skip
        say_table(task, [row for row in rows if row["task"] == task])
    for notice in notices:
        say(f"notice: {notice}")
    return write_results(out, {"task": "essence_heads", "notices": notices, "rows": rows})


# --- data -----------------------------------------------------------------------------------------


def table(name: str, seed: int) -> tuple[Part, Part, Part]:
    """Rows to fit to, to choose on and to test on: 56, 14 and 30 of 100, each class alike."""
    from sklearn import datasets
    from sklearn.model_selection import train_test_split

    loads = {"cancer": datasets.load_breast_cancer, "digits": datasets.load_digits,
             "iris": datasets.load_iris, "wine": datasets.load_wine}  # fmt: skip
    x, y = loads[name](return_X_y=True)
    split = {"random_state": seed}
    x, test_x, y, test_y = train_test_split(x, y, test_size=0.3, stratify=y, **split)
    train_x, val_x, train_y, val_y = train_test_split(x, y, test_size=0.2, stratify=y, **split)
    parts = (train_x, train_y), (val_x, val_y), (test_x, test_y)
    return tuple((a.astype(np.float64), b.astype(np.int64)) for a, b in parts)  # type: ignore


def photographs(
    name: str, seed: int, args: argparse.Namespace
) -> tuple[Part, Part, Part, str | None]:
    """Features of photographs, and what is to be said of their source."""
    backbone = resnet(args.weights)
    splits, source = photograph_splits(args.data or name, None, seed=seed)
    arrays = featurise(splits, source, backbone, args.cache, False)
    parts = [(np.asarray(x, np.float64), np.asarray(y)) for x, y in
             (arrays.train, arrays.validation, arrays.test)]  # fmt: skip
    return *parts, backbone.notice  # type: ignore[return-value]


@cache
def resnet(weights: str | None) -> Backbone:
    """The backbone, loaded once for all seeds."""
    return load_backbone("resnet50", weights, True)


def shape(name: str, rows: int, seed: int) -> Part:
    """Points drawn evenly from a square of side 4 around 0."""
    x = np.random.default_rng([seed, rows]).uniform(-2, 2, (rows, 2))
    return x, SHAPES[name](x).astype(np.int64)


def joined(a: Part, b: Part) -> Part:
    return np.concatenate([a[0], b[0]]), np.concatenate([a[1], b[1]])


# --- methods --------------------------------------------------------------------------------------


def on_rows(
    task: str, train: Part, validation: Part, test: Part, seed: int
) -> list[dict[str, Any]]:
    """A row per method: chosen and fitted without the test rows, tested once."""
    together = joined(train, validation)
    classes = int(together[1].max()) + 1
    what = {"task": task, "seed": seed, "samples": len(together[0])}
    x, y = test

    started = time.process_time()
    best, short = choose_real_options(*together)
    choosing = time.process_time() - started
    rows = []
    for method, choice in (("essence", best), ("essence_short", short)):
        started = time.process_time()
        head = fitted(together, classes, **choice.options)
        seconds = choosing + time.process_time() - started
        rows.append({**what, "method": method, **tested(head.formula(), test), "seconds": seconds,
                     "differentiae": len(head.circuit.weights), "options": choice.options,
                     "validation_accuracy": choice.accuracy})  # fmt: skip
        if method == "essence":
            with torch.no_grad():
                soft = head.soft(torch.as_tensor(x)).argmax(dim=1).numpy()
            rows.append({**what, "method": "essence_soft", "accuracy": float(np.mean(soft == y)),
                         "seconds": seconds})  # fmt: skip
    rows.append({**what, "method": "occamhead", **occamhead(train, validation, test, seed)})
    for name, fit in (("dense", dense), ("rbf", rbf), ("mlp", mlp)):
        started = time.process_time()
        predict = fit(train, validation, seed)
        seconds = time.process_time() - started
        accuracy = float(np.mean(predict(x) == y))
        rows.append({**what, "method": name, "accuracy": accuracy, "seconds": seconds})
    return rows


def fitted(rows: Part, classes: int, **options: Any) -> Any:
    """An essence head of real inputs, in double precision as its source is."""
    head = EssenceHead(rows[0].shape[1], classes, inputs="real", **options).double()
    return head.fit(*map(torch.as_tensor, rows)).eval()


def tested(formula: Expression, test: Part) -> dict[str, Any]:
    """The accuracy of a formula's printed source on test rows, and its size."""
    text = printed(formula)
    predict = defined_by(text)["predict"]
    x, y = test
    predicted = np.array([predict(row) for row in x.tolist()])
    return {
        "accuracy": float(np.mean(predicted == y)),
        "program": text,
        "tokens": body_tokens(text),
        "features": len(formula.features),
        "certificate": NO_CERTIFICATE,
    }


def printed(formula: Expression) -> str:
    """Stand-alone source with ``predict(x)``; it imports nothing unless it needs math."""
    comment = "The class of x; real inputs, so that nothing is certified."
    try:
        return to_program(formula, comment)
    except ValueError:  # an operator, such as the sine, that programs of whole numbers lack
        return formula.python(comment)


def occamhead(train: Part, validation: Part, test: Part, seed: int) -> dict[str, Any]:
    """Of two classes 32 features in all; of more 16 for each, in blocks of nodes."""
    first, second = ((x.astype(np.float32), y) for x, y in (train, validation))
    per_class = len(np.unique(train[1])) > 2
    started = time.process_time()
    (point,) = fit_path(
        formula_heads.as_data(first, second),
        [min(train[0].shape[1], 16 if per_class else 32)],
        per_class=per_class,
        nodes=formula_heads.NODES if per_class else 0,
        terms=formula_heads.TERMS,
        seed=seed,
    )
    seconds = time.process_time() - started
    return {**tested(point.formula, test), "seconds": seconds}


def dense(train: Part, validation: Part, seed: int) -> Callable[[Floats], Ints]:
    parts = [(torch.as_tensor(x, dtype=torch.float32), torch.as_tensor(y))
             for x, y in (train, validation, joined(train, validation))]  # fmt: skip
    classes = int(parts[2][1].max()) + 1
    start, penalty = choose_dense_head(parts[0], parts[1], classes)
    layer = fit_dense_head(parts[2], classes, penalty, start)
    return lambda x: layer(torch.as_tensor(x, dtype=torch.float32)).argmax(dim=1).numpy()


def rbf(train: Part, validation: Part, seed: int) -> Callable[[Floats], Ints]:
    from sklearn.svm import SVC

    count = train[0].shape[1]
    grid = {
        "model__C": [0.1, 1.0, 10.0, 100.0],
        # 1 / inputs is scikit-learn's default for standardised inputs.
        "model__gamma": [factor / count for factor in (0.1, 0.3, 1.0, 3.0)],
    }
    return _chosen(SVC(), grid, joined(train, validation))


def mlp(train: Part, validation: Part, seed: int) -> Callable[[Floats], Ints]:
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier((64, 64), max_iter=200, random_state=seed)
    return _chosen(model, {"model__alpha": [1e-4, 1.0]}, joined(train, validation))


def _chosen(
    model: Any, grid: Mapping[str, Sequence[float]], together: Part
) -> Callable[[Floats], Ints]:
    """A model of scikit-learn on standardised inputs, or on inputs divided by one number."""
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    largest = float(together[0].std(axis=0).max())
    scalers = [StandardScaler(), FunctionTransformer(_divided, kw_args={"by": largest})]
    pipeline = Pipeline([("scale", scalers[0]), ("model", model)])
    search = GridSearchCV(pipeline, {"scale": scalers, **grid}, cv=5, error_score="raise")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of steps that were not enough: the table tells
        search.fit(*together)
    return lambda x: np.asarray(search.predict(x))


def _divided(x: Floats, by: float) -> Floats:
    return x / by


# --- shapes ---------------------------------------------------------------------------------------

KINDS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "linear": [
        {"differentiae": "linear", "subconcepts": count, "penalty": penalty}
        for count in (2, 4, 6, 8, 12)
        for penalty in (10.0, 100.0)
    ],
    "quadratic": [
        {"differentiae": "quadratic", "subconcepts": count, "penalty": penalty}
        for count in (2, 4)
        for penalty in (10.0, 100.0, 1000.0)
    ],
    "occam": [{"differentiae": "occam"}],
}


def on_shape(task: str, seed: int) -> list[dict[str, Any]]:
    """A row per kind of differentiae."""
    together, test = shape(task, SHAPE_ROWS, seed), shape(task, SHAPE_TESTS, seed)
    (x, y), cut = together, SHAPE_ROWS * 4 // 5
    train, validation = (x[:cut], y[:cut]), (x[cut:], y[cut:])
    rows = []
    for method, grid in KINDS.items():
        started = time.process_time()

        def right(options: Mapping[str, Any]) -> float:
            head = fitted(train, 2, **options)
            label = head.predict(torch.as_tensor(validation[0])).numpy()
            return float(np.mean(label == validation[1]))

        # Of equally good ones the first, which has the fewest subconcepts.
        options = max(grid, key=right) if len(grid) > 1 else grid[0]
        head = fitted(together, 2, **options)
        rows.append({"task": task, "seed": seed, "samples": SHAPE_ROWS, "method": method,
                     **tested(head.formula(), test), "options": options,
                     "differentiae": len(head.circuit.weights),
                     "seconds": time.process_time() - started})  # fmt: skip
    return rows


# --- the table ------------------------------------------------------------------------------------


def say_table(task: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Mean and worst accuracy of each method over the seeds."""
    methods = list(dict.fromkeys(row["method"] for row in rows))
    seeds = len({row["seed"] for row in rows})
    say(f"\n{task}: {rows[0]['samples']} rows to learn from, {seeds} seeds")
    say(f"{'':<16}{'accuracy':>10}{'worst':>8}{'differentiae':>14}{'features':>10}{'tokens':>9}"
        f"{'CPU s':>8}")  # fmt: skip
    for method in methods:
        own = [row for row in rows if row["method"] == method]

        def mean(name: str, form: str, own: list[Mapping[str, Any]] = own) -> str:
            values = [row.get(name) for row in own]
            return "-" if None in values else f"{np.mean(values):{form}}"  # type: ignore[arg-type]

        worst = min(row["accuracy"] for row in own)
        say(f"{method:<16}{mean('accuracy', '.4f'):>10}{worst:>8.3f}"
            f"{mean('differentiae', '.1f'):>14}{mean('features', '.1f'):>10}"
            f"{mean('tokens', '.0f'):>9}{mean('seconds', '.1f'):>8}")  # fmt: skip
    own = [row for row in rows if row["method"] in ("occam", "essence_short")]
    shortest = min(own, key=lambda row: row["tokens"])
    if shortest["tokens"] <= 60:
        say(shortest["program"])
    say("")


if __name__ == "__main__":
    main()
