"""The methods with the options of the file, and what each makes of a sample of a law."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from recipes.laws_of_nature.judge import judge, refit
from recipes.laws_of_nature.laws import Law, Study
from recipes.others.regressors import Method, get_methods


def methods_of(study: Study, names: Iterable[str]) -> dict[str, Method]:
    """Methods by name, with their options.

    Raises:
        ValueError: If a name is unknown, or what it needs is not installed.
    """
    return {
        name: with_options(name, method, study.options.get(name, {}))
        for name, method in get_methods(names).items()
    }


def with_options(name: str, method: Method, options: Mapping[str, Any]) -> Method:
    extra: dict[str, Any] = dict(options)
    if name == "operon":
        extra["refit"] = refit
    return partial(method, **extra) if extra else method


def row_of(
    law: Law, name: str, fit: Method, study: Study, seconds: float, seed: int
) -> dict[str, Any]:
    """Fit on four fifths of the rows of this seed, choose on the others, and judge the formula."""
    x, y = law.sample(study.rows, 1000 + seed)
    cut = int(0.8 * study.rows)
    fitted = fit((x[:cut], y[:cut]), (x[cut:], y[cut:]), seconds, seed)
    row = {
        "law": law.name,
        "method": name,
        "seed": seed,
        "found": False,
        "structure": False,
        "error": math.inf,
        "test_r2": -math.inf,
        "seconds": fitted.seconds,
        "formula": fitted.formula,
        "nodes": fitted.nodes,
    }
    if fitted.expression is None:
        return row
    verdict = judge(fitted.expression.renamed(law.formula.names), law, seed, study.fresh_rows)
    return row | {
        "found": verdict.found,
        "structure": verdict.structure,
        "error": verdict.error,
        "test_r2": verdict.r2,
        "formula": verdict.formula,
    }
