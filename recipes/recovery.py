"""Published laws found again: every method gets the same rows and CPU seconds, on one thread.

``python -m recipes.recovery --suite fastsrb --seconds 10`` draws each law of a suite of
`occamhead.problems` and asks whether the formula is the law on fresh rows without noise: by
unexplained variance, to 1e-6 everywhere (in ranges 1.5 times as wide, but for fastsrb, whose
figures are published on the same ranges), and in structure. Methods that are not installed are
named and skipped. Ctrl-C keeps what has been found; ``--every 4 --seconds 2`` is a quick look.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from occamhead.commands.flags import positive, positive_seconds
from occamhead.commands.output import say
from occamhead.commands.results import prepare, save_results
from occamhead.problems import SUITES, load
from recipes.others.own_environment import PEERS
from recipes.recovery_tasks.flags import noise, option
from recipes.recovery_tasks.methods import METHODS, present
from recipes.recovery_tasks.rows import Run, row_of
from recipes.recovery_tasks.tables import draw_curve, report
from recipes.shared.flags import recipe_parser
from recipes.shared.progress import progress


def main(argv: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Run the comparison; returns the rows that it writes to results.json."""
    parser = recipe_parser("recovery", __doc__)
    add = parser.add_argument
    suites = [suite for suite in SUITES if suite != "class"]
    add("--suite", nargs="+", choices=suites, default=["study"], help="of occamhead.problems")
    add("--methods", nargs="+", choices=METHODS, default=["occamhead"], help="in this order")
    add("--seconds", type=positive_seconds, default=10.0, help="most CPU seconds of each fit")
    add("--draws", type=positive, default=1, help="samples of each law, seeded 0, 1, ...")
    add("--noise", type=noise, default=0.0, help="relative to the root mean square")
    add("--only", nargs="+", metavar="NAME", help="only these laws")
    add("--every", type=positive, default=1, metavar="N", help="only every Nth law")
    add("--option", nargs="+", type=option, default=[], metavar="NAME=VALUE",
        help="of OccamRegressor")  # fmt: skip
    add("--units", action="store_true", help="tell occamhead the units, where they are published")
    for peer in PEERS:
        add(f"--{peer}-python", type=Path, help=f"interpreter of an environment that has {peer}")
    args = parser.parse_args(argv)
    problems = [problem for suite in args.suite for problem in load(suite)]
    if unknown := sorted(set(args.only or ()) - {problem.name for problem in problems}):
        parser.error(f"no law {unknown[0]!r} in {', '.join(args.suite)}")
    chosen = [p for p in problems if args.only is None or p.name in args.only][:: args.every]
    pythons = {peer: getattr(args, f"{peer}_python") for peer in PEERS}
    methods = present(args.methods, dict(args.option), args.noise, pythons)
    if not methods:
        parser.error("none of these methods is installed")
    out = prepare(args.out, "recovery", args.overwrite)
    runs = [
        Run(problem, draw, name, args.noise, args.seconds, args.units and name == "occamhead")
        for problem in chosen
        for draw in range(args.draws)
        for name in methods
    ]
    rows: list[dict[str, Any]] = []
    try:
        for run in progress(runs, lambda run: f"{run.problem.name}, {run.method}"):
            rows.append(row_of(run, methods[run.method]))
            save_results(out, {"rows": rows}, "pyoperon", "gplearn")
    except KeyboardInterrupt:
        say(f"\nstopped after {len(rows)} of {len(runs)} runs")
    if rows:
        report(rows)
        draw_curve(rows, args.seconds, out / "curve.png")
        say(f"results in {out}")
    return rows


if __name__ == "__main__":
    main()
