"""What a run on photographs says at its end: how good the rule is, the rule, and its features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from occamhead.columns import aligned
from occamhead.commands.results import PAGE
from occamhead.explain.example import Spread
from occamhead.explain.features import Feature, explain_features
from occamhead.explain.material import MANY
from occamhead.expression.formats.code_book import rule_or_code
from occamhead.rows.arrays import ArrayDataModule
from occamhead.training.results import Fit

MOST_FEATURES, MOST_CLASSES = 12, 3


def summary(
    fit: Fit,
    data: ArrayDataModule,
    results: Mapping[str, Any],
    out: Path,
    words: Mapping[int, str] | None = None,
) -> list[str]:
    """The lines to print.

    Args:
        fit: The rule.
        data: The rows that it was fitted to and tested on.
        results: What results.json says of it.
        out: The folder of the files.
        words: What features look at, by index, where the head does not know.
    """
    classes = data.classes
    formula = fit.head.formula()
    lines = [_headline(results, classes)]
    places = f"report: {out / PAGE}    code: {out / 'formula.py'}"
    if len(classes) >= MANY:
        used, most = results["features_used"], results["nec_max"]
        said = f"{used} features in all; of a class {results['nec']:.1f} in the mean (NEC)"
        return [*lines, f"  {said}, at most {most}", places]
    lines += [f"  {line}" for line in rule_or_code(formula, classes)]
    features = explain_features(
        formula, Spread.of(data.arrays.train[0]), *data.arrays.test, examples=1, shuffles=1
    )
    told = dict(enumerate(fit.head.hints or ())) or words or {}
    cells = [_cells(feature, classes, told.get(feature.index, "")) for feature in features]
    lines += [f"  {line}" for line in aligned(cells[:MOST_FEATURES], left=range(4))]
    if len(features) > MOST_FEATURES:
        lines.append(f"  and {len(features) - MOST_FEATURES} more")
    return [*lines, places]


def _headline(results: Mapping[str, Any], classes: Sequence[str]) -> str:
    about = " or ".join(classes) if len(classes) <= MOST_CLASSES else f"{len(classes)} classes"
    low, high = (f"{100 * end:.0f}" for end in results["accuracy_interval"])
    right = round(results["rule_accuracy"] * results["n_test"])
    return (
        f"{about}: {right} of {results['n_test']} test photographs right"
        f" ({_percent(results['rule_accuracy'])}, {low} to {high});"
        f" all features {_percent(results['dense_accuracy'])};"
        f" the larger class {_percent(results['majority_accuracy'])}"
    )


def _cells(feature: Feature, classes: Sequence[str], words: str) -> list[str]:
    return [feature.name, words, _side(feature, classes), f"without it {_percent(feature.without)}"]


def _side(feature: Feature, classes: Sequence[str]) -> str:
    """The class that the feature speaks for most, or against, where it stands in sums alone."""
    weights = {k: weight for k, weight in feature.users if weight is not None}
    if len(weights) < len(feature.users) or not weights:
        return ""
    if len(classes) == 2:
        difference = weights.get(1, 0.0) - weights.get(0, 0.0)
        return f"for {classes[difference > 0]}"
    most = max(weights, key=lambda k: weights[k])
    if weights[most] > 0:
        return f"for {classes[most]}"
    return f"against {classes[min(weights, key=lambda k: weights[k])]}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
