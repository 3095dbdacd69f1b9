"""Orientation of a line, learned from 52 small images and read as one program for every side.

``python -m recipes.orientation`` learns from all full lines of sides 5, 6 and 7 (36 images, with
those of side 8, 16 images, held out), lifts the three networks to one program, and asks it for the
orientation of other shapes at sides 28 and 100: dotted, short, thick, zigzag and slanted lines,
outlines of bars, and full lines of which a tenth of all pixels is inverted. Class 0 is horizontal.

Declared is that the inputs are a square, and that every line is a subconcept of its own, as in the
published network of 784-784-56-2 neurons. Found are all weights and thresholds, to which row and
column a neuron belongs, and the formulas of the side; the published subconcepts weigh (m - 1) : 1
with a bias of m * (m - 1) at m = 28.

Shapes are drawn as horizontal ones and half of them turned. Slanted lines have every slope below
the diagonal, which is neither and is left undecided; an undecided image counts as class 0.

Beside it stand a decision tree, an MLP and a logistic regression, learned from the 56 full lines of
side 28 itself. "Exact" means right on every image.

Source: Blazek et al. 2024 (Nat Comput Sci 4, 110-118), whose figure 3 has shape orientation; the
images are drawn anew.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from occamhead.distill import Lifted
from occamhead.distill.sizes.grid_rules import GridRule
from occamhead.distill.sizes.grids import lift_grid
from occamhead.expression.formats.program_tokens import body_tokens
from occamhead.training.fit import one_thread
from recipes.others.classifiers import BASELINES, fitted
from recipes.shared.flags import positive, recipe_parser
from recipes.shared.output import say
from recipes.shared.printed import defined_by
from recipes.shared.results import prepare, write_results

Ints = NDArray[np.int64]
Predictor = Callable[[Ints], Ints]
LEARNED, HELD_OUT = (5, 6, 7), 8
_SIDE = 28  # at which other methods learn, and program and network are compared
_RANDOM = 1000  # images of nothing in particular, on which these are compared as well


def lines(side: int) -> tuple[Ints, Ints]:
    """All full lines of a square, [2 * side, side * side], horizontal first, and their classes."""
    row = np.eye(side, dtype=np.int64)[:, :, None].repeat(side, axis=2)
    images = np.concatenate([row, row.transpose(0, 2, 1)])
    return images.reshape(2 * side, -1), np.repeat([0, 1], side)


# --- shapes: horizontal ones, [side, side] --------------------------------------------------------


def blank(side: int) -> Ints:
    return np.zeros((side, side), dtype=np.int64)


def dotted(rng: np.random.Generator, side: int) -> Ints:
    """Every second or third pixel of a row."""
    image, gap = blank(side), int(rng.integers(2, 4))
    image[rng.integers(side), rng.integers(gap) :: gap] = 1
    return image


def short(rng: np.random.Generator, side: int) -> Ints:
    """A piece of a row, of an eighth to a half of it."""
    image, length = blank(side), int(rng.integers(side // 8, side // 2 + 1))
    start = rng.integers(side - length + 1)
    image[rng.integers(side), start : start + length] = 1
    return image


def thick(rng: np.random.Generator, side: int) -> Ints:
    """Two neighbouring rows to a fifth of all."""
    image, height = blank(side), int(rng.integers(2, side // 5 + 1))
    top = rng.integers(side - height + 1)
    image[top : top + height] = 1
    return image


def zigzag(rng: np.random.Generator, side: int) -> Ints:
    """Up and down by one row per column, over two rows to a fourth of all."""
    climb = int(rng.integers(1, side // 4))
    phase = np.arange(side) + rng.integers(2 * climb)
    return _one_per_column(rng, np.abs(phase % (2 * climb) - climb))


def slanted(rng: np.random.Generator, side: int) -> Ints:
    """A straight line from border to border, of any slope below the diagonal."""
    rise = int(rng.integers(1, side - 1))
    height = np.round(np.linspace(0, rise, side)).astype(np.int64)
    return _one_per_column(rng, height if rng.integers(2) else height[::-1])


def _one_per_column(rng: np.random.Generator, height: Ints) -> Ints:
    side = len(height)
    image, top = blank(side), rng.integers(side - height.max())
    image[top + height, np.arange(side)] = 1
    return image


def outline(rng: np.random.Generator, side: int) -> Ints:
    """The border of a bar, at least half as long as the side and at most a fifth of it high."""
    image = blank(side)
    height, length = int(rng.integers(3, side // 5 + 1)), int(rng.integers(side // 2, side + 1))
    top, start = rng.integers(side - height + 1), rng.integers(side - length + 1)
    image[top : top + height, start : start + length] = 1
    image[top + 1 : top + height - 1, start + 1 : start + length - 1] = 0
    return image


def noisy(rng: np.random.Generator, side: int) -> Ints:
    """A full row, each pixel of the image inverted with a chance of a tenth."""
    image = blank(side)
    image[rng.integers(side)] = 1
    return image ^ (rng.random((side, side)) < 0.1)


SHAPES: Mapping[str, Callable[[np.random.Generator, int], Ints]] = {
    "dotted": dotted,
    "short": short,
    "thick": thick,
    "zigzag": zigzag,
    "slanted": slanted,
    "outline": outline,
    "noise": noisy,
}


def drawn(shape: str, side: int, count: int, seed: int) -> tuple[Ints, Ints]:
    """Images of a shape, [count, side * side], each second one turned, and their classes."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    images = [SHAPES[shape](rng, side) for _ in labels]
    turned = [image.T if label else image for image, label in zip(images, labels, strict=True)]
    return np.array(turned).reshape(count, -1), labels


# --- the run --------------------------------------------------------------------------------------


def arguments() -> argparse.ArgumentParser:
    parser = recipe_parser("orientation", __doc__)
    add = parser.add_argument
    add("--sides", nargs="+", type=side, default=[28, 100], help="of the shapes; 16 or more")
    add("--images", type=positive, default=300, help="per shape, side and seed")
    add("--seeds", nargs="+", type=int, default=[0, 1, 2])
    return parser


def side(text: str) -> int:
    """A side at which every shape can be drawn."""
    value = int(text)
    if value < 16:
        raise argparse.ArgumentTypeError(f"must be 16 or more for all shapes to fit, got {value}")
    return value


@one_thread()
def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the recipe; returns what it writes to results.json."""
    args = arguments().parse_args(argv)
    out = prepare(args.out, "orientation", args.overwrite)
    started = time.perf_counter()
    lifted = lift_grid({m: lines(m) for m in LEARNED}, {HELD_OUT: lines(HELD_OUT)})
    seconds = time.perf_counter() - started
    say("declared: the inputs are a square, and every line is a subconcept of its own")
    say(f"found in {seconds:.2f} s:\n\n{lifted.source()}")
    program = run_text(lifted.source())
    rows = []
    for seed in args.seeds:
        for m in args.sides:
            rows += own_rows(lifted, program, m, args.images, seed, seconds)
        rows += other_rows(args.images, seed)
    say_rows(rows)
    compared = compare(lifted, program, args.images, args.seeds)
    say(
        f"\nat side {_SIDE} the program differs from the network on {compared['wrong']} of"
        f" {compared['images']} images"
    )
    return write_results(
        out,
        {
            "task": "orientation",
            "rows": rows,
            "compared": compared,
        },
    )


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
    x, y = lines(_SIDE)
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
        rows += [row | shared for row in tested(model.predict, _SIDE, count, seed)]
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
    random = rng.random((_RANDOM, _SIDE**2)) < np.linspace(0, 1, _RANDOM)[:, None]
    shapes = [drawn(shape, _SIDE, count, seed)[0] for shape in SHAPES for seed in seeds]
    images = np.concatenate([*shapes, random.astype(np.int64)])
    answers = program(images)
    wrong = int((answers != lifted.rule.network(_SIDE).predict(images)).sum())
    ones = float(answers[-_RANDOM:].mean())
    return {"images": len(images), "wrong": wrong, "vertical_of_random": ones}


def say_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    """Accuracy by method and shape, the mean over seeds."""
    say(f"{'':<29}" + "".join(f"{shape:>9}" for shape in SHAPES))
    for method, m in dict.fromkeys((row["method"], row["side"]) for row in rows):
        cells = ""
        for shape in SHAPES:
            key = (method, m, shape)
            own = [row for row in rows if (row["method"], row["side"], row["task"]) == key]
            cells += f"{np.mean([row['accuracy'] for row in own]):>9.4f}"
        say(f"{f'{method}, side {m}':<29}{cells}")


if __name__ == "__main__":
    main()
