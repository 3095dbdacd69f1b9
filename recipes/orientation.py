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
from collections.abc import Sequence
from typing import Any

from occamhead.commands.flags import positive
from occamhead.commands.output import say
from occamhead.commands.results import Run
from recipes.lines.flags import side
from recipes.shared.flags import recipe_parser
from recipes.shared.threads import on_one_thread

LEARNED, HELD_OUT = (5, 6, 7), 8


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the recipe; returns what it writes to results.json."""
    parser = recipe_parser("orientation", __doc__, seeds=range(3))
    add = parser.add_argument
    add("--sides", nargs="+", type=side, default=[28, 100], help="of the shapes; 16 or more")
    add("--images", type=positive, default=300, help="per shape, side and seed")
    return on_one_thread(work, parser.parse_args(argv), "orientation")


def work(args: argparse.Namespace, run: Run) -> dict[str, Any]:
    """What the flags ask for."""
    from occamhead.distill.sizes.grids import lift_grid
    from recipes.lines.methods import SIDE, compare, other_rows, own_rows, run_text
    from recipes.lines.shapes import lines
    from recipes.lines.tables import say_rows

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
    say(f"\nat side {SIDE} the program differs from the network on {compared['wrong']} of"
        f" {compared['images']} images")  # fmt: skip
    return run.finish({"task": "orientation", "rows": rows, "compared": compared})


if __name__ == "__main__":
    main()
