"""What every method makes of some windows of a cellular automaton, as rows of results.

The essence network and the program distilled from it; the two-level minimum, which leaves free what
it says of windows that were not seen; and the classifiers of `recipes.others.classifiers`.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from occamhead.distill import distill, source
from occamhead.essence import fit_circuit
from occamhead.essence.patterns import pool
from occamhead.expression import Expression
from occamhead.expression.formats.program_tokens import body_tokens
from recipes.automata.noisy_labels import choose
from recipes.automata.samples import Sample
from recipes.others.classifiers import BASELINES, fitted
from recipes.others.two_level import MOST_INPUTS, smallest_cover

Ints = NDArray[np.int64]
METHODS = ("essence", "two_level", *BASELINES)


def every_method(sample: Sample) -> list[dict[str, Any]]:
    """A row per method; of more than nine cells there is no two-level minimum to be had."""
    own, _ = by_essence(sample)
    two_level = [by_two_level(sample)] if sample.spec.num_inputs <= MOST_INPUTS else []
    return [own, *two_level, *by_baselines(sample)]


def by_essence(sample: Sample) -> tuple[dict[str, Any], Expression]:
    """The row of the network, of noisy labels that which is described most briefly; its program."""
    started = time.perf_counter()
    fit: dict[str, Any] = {}
    if sample.noise:
        circuit, fit = choose(sample.x, sample.y)
    else:
        circuit = fit_circuit(sample.x, sample.y, classes=2)
    program, certificate = distill(circuit, sample.spec)
    seconds = time.perf_counter() - started
    chosen = {name: fit[name] for name in ("min_support", "min_purity") if name in fit}
    row = _row(
        sample,
        "essence",
        program(sample.spec.rows())[:, 0].astype(np.int64),
        seconds,
        source(program, sample.spec, certificate),
    )
    row |= {"certificate": str(certificate), "lossless": certificate.lossless}
    return row | chosen, program


def by_two_level(sample: Sample) -> dict[str, Any]:
    """The shortest ``or`` of ``and``s that gives each window its most frequent label."""
    started = time.perf_counter()
    patterns = pool(sample.x, sample.y, classes=2)
    every = sample.spec.rows()
    place = patterns.points @ (1 << np.arange(every.shape[1])[::-1])
    labels, seen = np.zeros(len(every), np.int64), np.zeros(len(every), bool)
    labels[place], seen[place] = patterns.labels, True
    cover = smallest_cover(labels, seen)
    seconds = time.perf_counter() - started
    names = sample.spec.names
    bound = "" if cover.is_minimum else f" than {cover.at_least}, and this {cover.tokens}"
    certificate = f"no two-level form has fewer tokens{bound}"
    program = (
        f'def predict(x: list[int]):\n    """{certificate.capitalize()}."""\n'
        f"    {', '.join(names)} = x\n"
        f"    return {cover.text(names)}\n"
    )
    row = _row(sample, "two_level", cover.holds(every).astype(np.int64), seconds, program)
    return row | {"certificate": certificate, "minimum": cover.is_minimum}


def by_baselines(sample: Sample) -> list[dict[str, Any]]:
    """The classifiers; of one class alone there is nothing to learn, and they say that class."""
    rows = []
    for name in BASELINES:
        started = time.perf_counter()
        predicted = np.full_like(sample.truth, sample.y[0])
        if len(np.unique(sample.y)) > 1:
            model = fitted(name, sample.x, sample.y, sample.seed)
            predicted = model.predict(sample.spec.rows())
        rows.append(_row(sample, name, predicted, time.perf_counter() - started))
    return rows


def _row(
    sample: Sample, method: str, predicted: Ints, seconds: float, program: str | None = None
) -> dict[str, Any]:
    return {
        "task": sample.task,
        "rule": sample.rule,
        "method": method,
        "seed": sample.seed,
        "samples": len(sample.x),
        "noise": sample.noise,
        "accuracy": float(np.mean(predicted == sample.truth)),
        "exact": bool((predicted == sample.truth).all()),
        "certificate": None,
        "lossless": False,
        "program": program,
        "tokens": None if program is None else body_tokens(program),
        "seconds": seconds,
    }
