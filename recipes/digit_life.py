"""Life on pictures: a network learns to see from the next state alone, and its rule is read off.

A board is a window of 3 x 3 handwritten digits, whose cells are alive where the digit is 5 or more.
The one label of a board is the next state of its middle cell under Conway's rule; nothing is told
of digits or cells. ``python -m recipes.digit_life`` trains a small convolutional network that
reads each digit to one number and an MLP on the nine numbers of a board; then it cuts the numbers
to bits, fits an essence network to these in closed form, and distils it into a program. It
compares, on new boards of digits that no training board showed,

- essence: the file of the program's printed source, run on the bits;
- mlp: the MLP on the numbers, as it was trained;
- mlp_table: the truth table of that MLP, 512 windows of bits, distilled likewise, run on the bits.

"Exact" means that the rule is Life on all 512 windows, or Life with the bits for dead and alive
exchanged, since labels tell a bit only up to that. Seconds are those of the CPU.

Source: ``deep use`` of essence networks, a design of ours; the rule is a task of Blazek et al. 2024
(Nat Comput Sci 4, 110-118), there on cells that are given.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from typing import Any

from occamhead.commands.flags import positive
from occamhead.commands.output import say
from occamhead.commands.results import Run
from recipes.shared.flags import recipe_parser
from recipes.shared.threads import on_one_thread


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the recipe; returns what it writes to results.json."""
    parser = recipe_parser("digit_life", __doc__, seeds=range(10))
    add = parser.add_argument
    add("--samples", nargs="+", type=positive, default=[2000], help="boards to learn from")
    add("--tests", type=positive, default=5000, help="new boards to test on")
    add("--steps", type=positive, default=1600, help="training steps, of a batch each")
    return on_one_thread(work, parser.parse_args(argv), "digit_life")


def work(args: argparse.Namespace, run: Run) -> dict[str, Any]:
    """What the flags ask for."""
    from recipes.automata.digit_methods import learn, say_methods

    rows = []
    for samples in args.samples:
        for seed in args.seeds:
            found = run.once(
                f"{samples} {seed}",
                partial(learn, samples, args.tests, args.steps, seed, run.folder),
            )
            rows += found
            cells = [f"{row['method']} {row['accuracy']:.4f}" for row in found]
            meaning = found[0]["reading"]
            verdict = f"Life where 1 is {meaning}" if meaning else "not Life"
            line = found[0]["program"].splitlines()[-1].strip()
            say(f"{samples} boards, seed {seed}: {', '.join(cells)}; {verdict}: {line}")
        say_methods([row for row in rows if row["samples"] == samples])
    return run.finish({"task": "digit_life", "rows": rows})


if __name__ == "__main__":
    main()
