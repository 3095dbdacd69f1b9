"""Published laws found again: every method gets the same rows and CPU seconds, on one thread.

``python -m recipes.recovery --suite fastsrb --seconds 10`` draws each law of a suite of
`occamhead.problems` and asks whether the formula is the law on fresh rows without noise: by
unexplained variance, to 1e-6 everywhere (in ranges 1.5 times as wide, but for fastsrb, whose
figures are published on the same ranges), and in structure. Methods that are not installed are
named and skipped. Ctrl-C keeps what has been found; ``--every 4 --seconds 2`` is a quick look.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from recipes.recovery_tasks.flags import PEERS, parsed


def main(argv: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Run the comparison; returns the rows that it writes to results.json."""
    parser, args = parsed(__doc__, argv)

    from occamhead.commands.output import say
    from occamhead.commands.results import results_run
    from occamhead.problems import load
    from recipes.recovery_tasks.methods import present
    from recipes.recovery_tasks.rows import Run, row_of
    from recipes.recovery_tasks.tables import draw_curve, report
    from recipes.shared.progress import progress

    problems = [problem for suite in args.suite for problem in load(suite)]
    if unknown := sorted(set(args.only or ()) - {problem.name for problem in problems}):
        parser.error(f"no law {unknown[0]!r} in {', '.join(args.suite)}")
    chosen = [p for p in problems if args.only is None or p.name in args.only][:: args.every]
    pythons = {peer: getattr(args, f"{peer}_python") for peer in PEERS}
    methods = present(args.methods, dict(args.option), args.noise, pythons)
    if not methods:
        parser.error("none of these methods is installed")
    runs = [
        Run(
            problem,
            draw,
            name,
            args.noise,
            args.seconds,
            args.units and name == "occamhead",
            args.noise_of,
        )
        for problem in chosen
        for draw in range(args.draws)
        for name in methods
    ]
    rows: list[dict[str, Any]] = []
    with results_run(args, "recovery") as run:
        try:
            for each in progress(runs, lambda each: f"{each.problem.name}, {each.method}"):
                name = f"{each.problem.suite} {each.problem.name} {each.draw} {each.method}"
                rows.append(run.once(name, partial(row_of, each, methods[each.method])))
                run.save({"rows": rows}, "pyoperon", "gplearn")
        except KeyboardInterrupt:
            say(f"\nstopped after {len(rows)} of {len(runs)} runs")
        if rows:
            report(rows)
            draw_curve(rows, args.seconds, run.folder / "curve.png")
            say(f"results in {run.final}")
        return rows


if __name__ == "__main__":
    main()
