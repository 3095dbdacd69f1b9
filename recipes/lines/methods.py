"""What every method makes of shapes, as rows of results, and the program beside its network."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from occamhead.commands.printed import defined_by
from occamhead.distill import Lifted
from occamhead.distill.sizes.grid_rules import GridRule
from occamhead.expression.formats.program_tokens import body_tokens
from recipes.lines.shapes import SHAPES, Ints, drawn, lines
from recipes.others.classifiers import BASELINES, fitted

Predictor = Callable[[Ints], Ints]
SIDE = 28  # at which other methods learn, and program and network are compared
_RANDOM = 1000  # images of nothing in particular, on which these are compared as well


def run_text(text: str) -> Predictor:
    """The printed program itself, asked image by image."""
    predict = defined_by(text)["predict"]
    return lambda images: np.array([predict(image) for image in images.tolist()])


def own_rows(
    lifted: Lifted, program: Predictor, m: int, count: int, seed: int, seconds: float
) -> list[dict[str, Any]]:
    """The printed program on every shape; seconds are those of learning and lifting."""
    text, certificate = lifted.source(), lifted.certificate
    shared = {
        "method": "essence",
        "samples": sum(certificate.fitted.values()) + sum(certificate.checked.values()),
        "certificate": str(certificate),
        "program": text,
        "tokens": body_tokens(text),
        "seconds": seconds,
    }
    return [row | shared for row in tested(program, m, count, seed)]


def other_rows(count: int, seed: int) -> list[dict[str, Any]]:
    """What others make of the full lines at the side at which they are tested."""
    x, y = lines(SIDE)
    rows = []
    for name in BASELINES:
        started = time.perf_counter()
        model = fitted(name, x, y, seed)
        shared = {
            "method": name,
            "samples": len(x),
            "certificate": None,
            "program": None,
            "tokens": None,
            "seconds": time.perf_counter() - started,
        }
        rows += [row | shared for row in tested(model.predict, SIDE, count, seed)]
    return rows


def tested(predict: Predictor, m: int, count: int, seed: int) -> list[dict[str, Any]]:
    rows = []
    for shape in SHAPES:
        images, labels = drawn(shape, m, count, seed)
        accuracy = float(np.mean(predict(images) == labels))
        row = {"task": shape, "side": m, "seed": seed, "images": count, "accuracy": accuracy}
        rows.append(row | {"exact": accuracy == 1.0})
    return rows


def compare(
    lifted: Lifted, program: Predictor, count: int, seeds: Sequence[int]
) -> dict[str, int | float]:
    """Program against network on all shapes, and on random images from empty to full ones."""
    assert isinstance(lifted.rule, GridRule)
    rng = np.random.default_rng(seeds[0])
    random = rng.random((_RANDOM, SIDE**2)) < np.linspace(0, 1, _RANDOM)[:, None]
    shapes = [drawn(shape, SIDE, count, seed)[0] for shape in SHAPES for seed in seeds]
    images = np.concatenate([*shapes, random.astype(np.int64)])
    answers = program(images)
    wrong = int((answers != lifted.rule.network(SIDE).predict(images)).sum())
    ones = float(answers[-_RANDOM:].mean())
    return {"images": len(images), "wrong": wrong, "vertical_of_random": ones}
