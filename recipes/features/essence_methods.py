"""What every method makes of real rows: those of essence heads as printed source, and others."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from occamhead import Expression
from occamhead.commands.output import say, say_table
from occamhead.commands.printed import defined_by
from occamhead.essence import choose_real_options
from occamhead.expression.formats.program_source import to_program
from occamhead.expression.formats.program_tokens import body_tokens
from occamhead.heads.essence import EssenceHead
from occamhead.training.path import fit_path
from recipes.features.parts import shape
from recipes.others import ours as formula_heads
from recipes.others.real_classifiers import REAL_CLASSIFIERS
from recipes.shared.means import mean
from recipes.shared.rows import Part, together

SHAPE_ROWS, SHAPE_TESTS = 400, 4000
NO_CERTIFICATE = "none: real inputs have no finite domain"
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


def on_rows(
    task: str, train: Part, validation: Part, test: Part, seed: int
) -> list[dict[str, Any]]:
    """A row per method: chosen and fitted without the test rows, tested once."""
    both = together(train, validation)
    classes = int(both[1].max()) + 1
    what = {"task": task, "seed": seed, "samples": len(both[0])}
    x, y = test

    started = time.process_time()
    best, short = choose_real_options(*both)
    choosing = time.process_time() - started
    rows = []
    for method, choice in (("essence", best), ("essence_short", short)):
        started = time.process_time()
        head = fitted(both, classes, **choice.options)
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
    for name, fit in REAL_CLASSIFIERS.items():
        started = time.process_time()
        predict = fit(train, validation, seed)
        seconds = time.process_time() - started
        accuracy = float(np.mean(predict(x) == y))
        rows.append({**what, "method": name, "accuracy": accuracy, "seconds": seconds})
    return rows


def fitted(rows: Part, classes: int, **options: Any) -> Any:
    """An essence head of real inputs, in double precision as its source is."""
    head = EssenceHead(rows[0].shape[1], classes, inputs="real", **options).double()
    return head.fit(*rows, validation=0).eval()


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


def on_shape(task: str, seed: int) -> list[dict[str, Any]]:
    """A row per kind of differentiae."""
    both, test = shape(task, SHAPE_ROWS, seed), shape(task, SHAPE_TESTS, seed)
    (x, y), cut = both, SHAPE_ROWS * 4 // 5
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
        head = fitted(both, 2, **options)
        rows.append({"task": task, "seed": seed, "samples": SHAPE_ROWS, "method": method,
                     **tested(head.formula(), test), "options": options,
                     "differentiae": len(head.circuit.weights),
                     "seconds": time.process_time() - started})  # fmt: skip
    return rows


def say_methods(task: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Mean and worst accuracy of each method over the seeds, and a program that is short."""
    seeds = len({row["seed"] for row in rows})
    say(f"\n{task}: {rows[0]['samples']} rows to learn from, {seeds} seeds")
    forms = {"differentiae": ".1f", "features": ".1f", "tokens": ".0f", "seconds": ".1f"}
    lines = []
    for method in dict.fromkeys(row["method"] for row in rows):
        own = [row for row in rows if row["method"] == method]
        worst = min(row["accuracy"] for row in own)
        figures = [mean(own, name, form) for name, form in forms.items()]
        lines.append([method, mean(own, "accuracy", ".4f"), f"{worst:.3f}", *figures])
    say_table(("", "accuracy", "worst", "differentiae", "features", "tokens", "CPU s"), lines)
    own = [row for row in rows if row["method"] in ("occam", "essence_short")]
    shortest = min(own, key=lambda row: row["tokens"])
    if shortest["tokens"] <= 60:
        say(shortest["program"])
    say()
