"""``occamhead distill``: a table's classes, or a model's answers, as a program or a formula."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from occamhead.commands.csv_table import read_csv
from occamhead.commands.output import quieten, say
from occamhead.commands.results import results_run
from occamhead.distill.programs import distill, source
from occamhead.distill.spec import FeatureSpec, Int
from occamhead.essence import Circuit, fit_circuit, fit_noisy_circuit
from occamhead.essence.patterns import pool
from occamhead.expression import Expression

TABLES = (".csv", ".tsv", ".txt")
# An input of more different values than this is a number, not a choice among a few.
MOST_VALUES = 16
HELD_OUT, FEWEST_TO_HOLD_OUT = 0.2, 10
# Rows that do not fit, of which the numbers are printed.
MOST_SAID = 10


@dataclass(frozen=True)
class Question:
    """Rows, what is said of each, and by whom.

    Args:
        origin: In words.
        inputs: Names of the inputs.
        x: Their values, [rows, inputs].
        labels: The class of each row, [rows].
        classes: Names of the classes.
        model: Whether a model said so rather than a table.
    """

    origin: str
    inputs: list[str]
    x: NDArray[np.float64]
    labels: NDArray[np.int64]
    classes: list[str]
    model: bool

    @property
    def of_few_values(self) -> bool:
        """Whether every input is a whole number that is one of few."""
        return bool((self.x % 1 == 0).all()) and all(
            len(np.unique(column)) <= MOST_VALUES for column in self.x.T
        )


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Read rows and classes, write the program or the formula, and say how far it agrees."""
    asked = _of_table(args) if args.file.suffix.lower() in TABLES else _of_model(args)
    counts = np.bincount(asked.labels, minlength=len(asked.classes))
    if np.count_nonzero(counts) < 2:
        who = "the model says" if asked.model else f"{args.target} is"
        raise ValueError(
            f"{asked.origin}: {who} {asked.classes[int(counts.argmax())]} in all {len(asked.x)}"
            " rows; wanted two or more classes, so give other rows"
        )
    with results_run(args, "distill") as run:
        say(f"{len(asked.x)} rows, {len(asked.inputs)} inputs, {len(asked.classes)} classes")
        write = _program if asked.of_few_values else _rule
        results = write(asked, args.seed, run.folder)
        results = run.save({"task": "distill", "data": asked.origin, "seed": args.seed,
                                     "inputs": asked.inputs, "classes": asked.classes,
                                     "rows": len(asked.x), **results})  # fmt: skip
        _say(asked, results, run.final)
    return results


def _of_table(args: argparse.Namespace) -> Question:
    if args.target is None or args.rows is not None:
        raise ValueError(f"{args.file} is a table: name the column of its classes with --target")
    table = read_csv(args.file)
    inputs = table.others(args.target, args.inputs)
    cells = table.column(args.target)
    names = sorted(set(cells), key=_in_order)
    labels = np.array([names.index(cell) for cell in cells])
    if len(names) > max(MOST_VALUES, len(cells) // 10):
        raise ValueError(
            f"{args.file}: {args.target} has {len(names)} different values in {len(cells)} rows;"
            " wanted classes, and for numbers there is occamhead law"
        )
    return Question(str(args.file), inputs, table.numbers(inputs), labels, names, model=False)


def _in_order(name: str) -> tuple[float, str]:
    try:
        return float(name), ""
    except ValueError:
        return np.inf, name


def _of_model(args: argparse.Namespace) -> Question:
    if args.rows is None or args.target is not None:
        raise ValueError(f"{args.file} is a model: name a table of its inputs with --rows")
    from occamhead.commands.models import classes_of, read_model

    answers = read_model(args.file)
    table = read_csv(args.rows)
    inputs = table.others(None, args.inputs)
    x = table.numbers(inputs)
    labels = classes_of(answers(x), len(x))
    names = [f"class {k}" for k in range(int(labels.max(initial=0)) + 1)]
    return Question(f"{args.file} on {args.rows}", inputs, x, labels, names, model=True)


def _program(asked: Question, seed: int, out: Path) -> dict[str, Any]:
    """Whole numbers: a circuit of the rows, and the shortest program that is proven to equal it.

    Where rows are all inputs that there are, or a model's answers, every one is obeyed; elsewhere
    some may be wrong, and a longer rule must pay for itself.
    """
    x, labels, classes = asked.x.astype(np.int64), asked.labels, len(asked.classes)
    domains = tuple(Int(int(column.min()), int(column.max())) for column in x.T)
    spec = FeatureSpec(tuple(asked.inputs), domains)
    everything = len(np.unique(x, axis=0)) == spec.num_rows
    held = np.zeros(len(x), dtype=bool)
    if not everything and len(x) >= FEWEST_TO_HOLD_OUT:
        order = np.random.default_rng(seed).permutation(len(x))
        held[order[: round(HELD_OUT * len(x))]] = True

    def fitted(rows: NDArray[np.bool_]) -> Circuit:
        if everything or asked.model:
            return fit_circuit(x[rows], labels[rows], classes=classes)
        return fit_noisy_circuit(x[rows], labels[rows], classes=classes, seed=seed).circuit

    right = int((fitted(~held).predict(x[held]) == labels[held]).sum()) if held.any() else 0
    circuit = fitted(np.ones(len(x), dtype=bool))
    misfits = np.flatnonzero(circuit.predict(x) != labels)
    program, certificate = distill(circuit, spec)
    code = source(program, spec, certificate)
    (out / "rule.py").write_text(code)
    (out / "rule.json").write_text(program.to_json() + "\n")
    return {
        "kind": "program",
        "lines": code.strip().splitlines(),
        "formula": program.text(),
        "certificate": str(certificate),
        "every_input": everything,
        "n_held_out": int(held.sum()),
        "right_held_out": right,
        "right": len(x) - len(misfits),
        "misfits": misfits.tolist(),
        "contradictions": pool(x, labels, min_purity=0.0).num_contradicted,
    }


def _rule(asked: Question, seed: int, out: Path) -> dict[str, Any]:
    """Other numbers: a formula per class, of as few inputs as do well on held-out rows."""
    from occamhead.rows.arrays import ArrayData
    from occamhead.training.path import fit_head_by_path

    quieten()
    x = asked.x.astype(np.float32)
    data = ArrayData((x, asked.labels), classes=asked.classes, seed=seed)
    trainer = {"accelerator": "cpu", "devices": 1, "enable_progress_bar": False}
    formula = fit_head_by_path(data, seed=seed, trainer=trainer).head.formula(asked.inputs)
    test_x, test_y = (np.asarray(part) for part in data.arrays.test)
    (out / "rule.py").write_text(formula.python("Written by occamhead distill.", asked.classes))
    (out / "rule.json").write_text(formula.to_json() + "\n")
    return {
        "kind": "formula",
        "lines": formula.rule(asked.classes),
        "formula": formula.text(),
        "certificate": None,
        "every_input": False,
        "n_held_out": len(test_y),
        "right_held_out": _right(formula, test_x, test_y),
        "right": _right(formula, x, asked.labels),
    }


def _right(formula: Expression, x: NDArray[Any], labels: NDArray[Any]) -> int:
    return int((np.asarray(formula(x)).argmax(axis=-1) == labels).sum())


def _say(asked: Question, results: Mapping[str, Any], out: Path) -> None:
    say()
    for line in results["lines"]:
        say(line)
    say()
    if results["kind"] == "program":
        say("classes: " + ", ".join(f"{k} {name}" for k, name in enumerate(asked.classes)))
    verb = "agrees with the model on" if asked.model else "is right on"
    wrong = len(asked.x) - results["right"]
    say(f"it {verb} {results['right']} of all {len(asked.x)} rows; {_held_out(results, verb)}")
    if wrong and results["kind"] == "program":
        first = ", ".join(str(row + 1) for row in results["misfits"][:MOST_SAID])
        more = ", ..." if wrong > MOST_SAID else ""
        say(
            f"{wrong} rows do not fit the rule (rows {first}{more}; all in results.json);"
            f" {results['contradictions']} contradict others: the same inputs, another class"
        )
    say(f"code: {out / 'rule.py'}    results: {out / 'results.json'}")


def _held_out(results: Mapping[str, Any], verb: str) -> str:
    if results["every_input"]:
        return "they are all inputs that there are"
    if not results["n_held_out"]:
        return "too few to hold any out"
    right, held = results["right_held_out"], results["n_held_out"]
    return f"made from the others, it {verb} {right} of {held} held out"
