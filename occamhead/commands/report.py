"""Test the formula, write everything that a run leaves behind, and print the table."""

from __future__ import annotations

import csv
import resource
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from occamhead.columns import between
from occamhead.commands.csv_table import safe_cell
from occamhead.commands.names import NAMES, write_names
from occamhead.commands.output import say, say_table
from occamhead.commands.path import path_rows
from occamhead.commands.printed import defined_by
from occamhead.commands.results import PAGE, Run
from occamhead.explain.example import spread_of
from occamhead.explain.material import MANY
from occamhead.expression.formats.code_book import rule_or_code, saving_book
from occamhead.expression.formats.rule import rule_of
from occamhead.heads.calibration import expected_calibration_error
from occamhead.heads.naming import said
from occamhead.heads.nec import nec_of
from occamhead.heads.neighbours import one_feature_apart
from occamhead.rows.arrays import as_rows
from occamhead.rows.metrics import accuracy, rates_of, wilson_interval
from occamhead.vision.named_pictures import PictureNames

if TYPE_CHECKING:
    from torch import Tensor

    from occamhead.commands.task import Task
    from occamhead.heads.occam import OccamHead
    from occamhead.rows.arrays import ArrayDataModule
    from occamhead.training.results import Fit
    from occamhead.vision import Backbone

# A test picture whose probability is below this is counted as left to a person.
REJECT_BELOW = 0.9


def write(
    run: Run,
    task: Task,
    mode: str,
    fit: Fit,
    data: ArrayDataModule,
    backbone: Backbone | None,
    seed: int,
    feature_seconds: float,
    train_seconds: float,
    tuning: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Test once, and write the files."""
    x, y = as_rows(data.arrays.test)
    formula, head, classes = fit.head.formula(), fit.head, data.classes
    rule = rule_of(formula)
    sums = formula if rule is None else formula[1]
    source = formula.python(f"{task.name}: {', '.join(classes)} from {task.source}", classes)
    scores, predicted = run_source(source, x.numpy())
    with torch.no_grad():
        model_predicted = head(x).argmax(dim=-1).numpy()
        log_q = float(head.log_prob().sum())
    labels, nec = y.numpy(), nec_of(head)
    # Of the test rows: what answering one class always would reach there at best.
    majority = int(np.bincount(labels).argmax())
    soft, dense = accuracy(head.soft, (x, y)), accuracy(fit.dense, (x, y))
    splits = task.splits
    results: dict[str, Any] = {
        "task": task.name,
        "mode": mode,
        "classes": list(classes),
        "backbone": backbone.name if backbone else "pixels" if task.pixels else "made before",
        "weights": backbone.weights if backbone else "none",
        "notice": backbone.notice if backbone else None,
        "data": task.source,
        "seed": seed,
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "n_train": len(splits.train),
        "n_val": len(splits.validation),
        "n_test": len(splits.test),
        "skipped": list(splits.train.skipped + splits.test.skipped),
        "rule_accuracy": float(np.mean(predicted == labels)),
        "soft_accuracy": soft,
        "soft_interval": interval(soft, len(y)),
        "dense_accuracy": dense,
        "dense_interval": interval(dense, len(y)),
        **rates(scores, y, classes),
        "majority_accuracy": float(np.mean(labels == majority)),
        "majority_class": classes[majority],
        "validation_accuracy": fit.validation_accuracy,
        "validation_interval": list(fit.rates.accuracy_interval) if fit.rates else None,
        "paper_accuracy": task.paper.accuracy if task.paper else None,
        **calibration(head, x, y),
        "agreement": float(np.mean(predicted == model_predicted)),
        # Of two classes one, and the rule in words.
        "formulas": sums.text(),
        "rule": rule_or_code(formula, classes),
        "names": said(head.names),
        "hints": {f"x{i}": head.hints[i] for i in formula.features} if head.hints else None,
        "features_used": len(formula.features),
        "features_per_class": [len(sums[k].features) for k in range(len(sums))],
        "nec": nec.mean,
        "nec_max": nec.most,
        "nec_per_decision": nec.per_decision(torch.from_numpy(predicted)),
        "operations": formula.operations,
        **({"path": path_rows(fit.path)} if fit.path else {}),
        "probability": float(np.exp(log_q)),
        "train_seconds": train_seconds,
        "feature_seconds": feature_seconds,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        **({"finetuning": tuning} if tuning else {}),
    }
    results = run.save(results)
    _save(run.folder, task, data, head, results, source, scores, predicted, labels)
    # Every process of a distributed run must call this; the first one writes.
    fit.module.trainer.save_checkpoint(run.folder / "checkpoint.ckpt", weights_only=True)
    return results


@rank_zero_only
def write_page(
    out: Path,
    task: Task,
    fit: Fit,
    data: ArrayDataModule,
    backbone: Backbone | None,
    results: dict[str, Any],
) -> None:
    """Write the page that explains the formulas with the test pictures."""
    from occamhead.explain import report

    features = f"{backbone.name}: {backbone.weights}" if backbone else "made before"
    if task.pixels:
        features = "pixels, 0 black to 1 white"
    shown = task.splits.test
    facts = {
        "Data": task.source,
        "Features": features,
        "Mode": results["mode"],
        "Seed": str(results["seed"]),
        "Command": results["command"],
        "Versions": ", ".join(f"{name} {number}" for name, number in results["versions"].items()),
        "Time": f"features {results['feature_seconds']:.1f} s, training"
        f" {results['train_seconds']:.1f} s on {results['device']}",
    }
    paper = (task.paper.accuracy, task.paper.source) if task.paper else None
    report(
        out / PAGE,
        fit,
        data,
        pictures=None if isinstance(shown, PictureNames) else shown,
        backbone=backbone,
        paper=paper,
        facts=facts,
        curve=fit.path.points if fit.path else (),
    )


def calibration(head: OccamHead, x: Tensor, y: Tensor) -> dict[str, Any]:
    """What the head's probabilities are worth on the test rows.

    Returns:
        The calibration error of the scores as they are, and at the temperature that was fitted on
        validation rows; the share of rows with a probability of at least `reject_below`, and the
        accuracy on these (1 where there are none).
    """
    with torch.no_grad():
        raw, probabilities = torch.softmax(head(x), dim=-1), head.probabilities(x)
    predicted = head.predict(x, REJECT_BELOW)
    kept = predicted >= 0
    right = predicted[kept] == y[kept]
    return {
        "temperature": float(head.calibration.exp()),
        "ece_before": expected_calibration_error(raw, y),
        "ece": expected_calibration_error(probabilities, y),
        "reject_below": REJECT_BELOW,
        "coverage": float(kept.double().mean()),
        "accuracy_of_kept": float(right.double().mean()) if len(right) else 1.0,
        "interval_of_kept": list(wilson_interval(int(right.sum()), len(right))),
    }


def interval(share: float, rows: int) -> list[float]:
    """95 % interval of an accuracy on some rows, see :func:`wilson_interval`."""
    return list(wilson_interval(min(share * rows, rows), rows))


def rates(scores: list[list[float]], y: Tensor, classes: Sequence[str]) -> dict[str, Any]:
    """How often each class was found among the test rows, and how sure one may be of that."""
    found = rates_of(torch.tensor(scores), y)
    return {
        "accuracy_interval": list(found.accuracy_interval),
        "balanced_accuracy": found.balanced_accuracy,
        "recalls": dict(zip(classes, found.recalls, strict=True)),
        "recall_intervals": {
            name: list(interval)
            for name, interval in zip(classes, found.recall_intervals, strict=True)
        },
    }


def run_source(source: str, x: np.ndarray) -> tuple[list[list[float]], np.ndarray]:
    """Scores and classes of each row by the stand-alone source itself."""
    module = defined_by(source)
    rows = [[float(value) for value in row] for row in x]
    return [module["scores"](row) for row in rows], np.array([module["predict"](r) for r in rows])


@rank_zero_only
def _save(
    out: Path,
    task: Task,
    data: ArrayDataModule,
    head: OccamHead,
    results: dict[str, Any],
    source: str,
    scores: list[list[float]],
    predicted: np.ndarray,
    labels: np.ndarray,
) -> None:
    classes, formula = results["classes"], head.formula()
    write_names(out / NAMES, head, formula.features)
    (out / "formula.py").write_text(source)
    (out / "formula.json").write_text(formula.to_json(classes) + "\n")
    lines = [f"y_{{{k}}} &= {tex}" for k, tex in enumerate(formula.latex())]
    if (rule := rule_of(formula)) is not None:
        lines = [f"y &= {rule.latex(classes)}"]
    (out / "formula.tex").write_text(
        "\\begin{align}\n" + " \\\\\n".join(lines) + "\n\\end{align}\n"
    )
    if (book := saving_book(formula, classes)) is not None:
        near = [f"{classes[p.first]}, {classes[p.second]}" for p in one_feature_apart(formula)]
        lines = [*book.lines(), "", "classes that one feature tells apart:", *(near or ["none"])]
        (out / "code_book.txt").write_text("\n".join([*lines, ""]), encoding="utf-8")
    deviations = spread_of(data).deviations(formula.features)
    shape = np.asarray(task.splits.test.picture(0)).shape if task.pixels else None
    formula.draw(out / "formula.png", classes, deviations, shape)
    with (out / "predictions.csv").open("w", newline="", encoding="utf-8") as file:
        table, cells = csv.writer(file), [safe_cell(name) for name in classes]
        table.writerow(
            ["file", "label", "prediction", *(safe_cell(f"score_{name}") for name in classes)]
        )
        for name, label, guess, row in zip(
            task.splits.test.names, labels, predicted, scores, strict=True
        ):
            table.writerow([safe_cell(name), cells[label], cells[guess], *row])


def say_results(out: Path, task: Task, results: dict[str, Any]) -> None:
    """Print the formulas and the table."""
    say()
    many = len(results["classes"]) >= MANY
    # A code book has its own empty line, and short lines.
    gap = "" if "" in results["rule"] else "\n"
    for line in [] if many else results["rule"]:
        say(f"{line}{gap}")
    if not gap and not many:
        say()
    say(f"test accuracy on {results['n_test']} pictures, and its 95 % interval")
    titles = ["formula", "soft network", "dense head", f"always {results['majority_class']}"]
    names = ("rule", "soft", "dense", "majority")
    ours = [f"{results[f'{name}_accuracy']:.1%}" for name in names]
    intervals = [
        between(results[name]) for name in ("accuracy_interval", "soft_interval", "dense_interval")
    ]
    lines = [ours, [*intervals, ""]]
    if task.paper:
        titles.append("paper")
        ours.append(f"{task.paper.accuracy:.1%}")
        lines[1].append("")
    say_table(titles, lines)
    recalls = ", ".join(
        f"{name} {recall:.1%} ({between(results['recall_intervals'][name])})"
        for name, recall in results["recalls"].items()
    )
    found = "" if many else f"; found of {recalls}"
    say(f"formula: balanced accuracy {results['balanced_accuracy']:.1%}{found}")
    if task.paper:
        say(f"paper: {task.paper.source}; baseline there {task.paper.baseline:.1%}")
    nec = ""
    if len(results["features_per_class"]) > 2:  # two share one score, and so all features
        nec = f" (NEC {results['nec']:.1f}, at most {results['nec_max']} a class)"
    say(
        f"{results['features_used']} features{nec}, {results['operations']} operations,"
        f" formula.py agrees with the model on {results['agreement']:.0%} of the test pictures"
    )
    say(
        f"probabilities: calibration error {results['ece']:.3f}; {results['coverage']:.1%} of the"
        f" pictures have {REJECT_BELOW:.0%} or more, of which {results['accuracy_of_kept']:.1%} are"
        f" right ({between(results['interval_of_kept'])})"
    )
    if results["notice"]:
        say(f"notice: {results['notice']}")
    say(
        f"features {results['feature_seconds']:.1f} s, training {results['train_seconds']:.1f} s;"
        f" results in {out}"
    )
