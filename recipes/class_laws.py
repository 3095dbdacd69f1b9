"""One form for several experiments: eight published laws whose numbers differ between groups.

``python -m recipes.class_laws --noise 0 0.01 0.1`` draws ten groups of each law of
`occamhead.problems.load("class")`, fits with ``groups=`` and compares each group's formula with
its law on fresh rows without noise. A law is found where every group's formula is the law to 1e-6
everywhere or, under noise, within 1 %, or becomes the law to 1e-6 with other numbers and has no
more numbers than the law.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from occamhead.commands.flags import positive
from recipes.recovery_tasks.flags import noise
from recipes.shared.flags import recipe_parser


def main(argv: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Fit every law; returns the rows that it writes to results.json."""
    parser = recipe_parser("class_laws", __doc__)
    add = parser.add_argument
    add("--noise", nargs="+", type=noise, default=[0.0], help="relative to the root mean square")
    add("--rows", type=positive, default=100, help="of each group")
    add("--groups", type=positive, default=10)
    add("--draws", type=positive, default=1, help="samples of each law, seeded 0, 1, ...")
    add("--only", nargs="+", metavar="NAME", help="only these laws")
    args = parser.parse_args(argv)

    from occamhead.commands.output import say, say_table
    from occamhead.commands.results import results_run
    from occamhead.problems import load
    from recipes.recovery_tasks.group_rows import row_of
    from recipes.shared.progress import progress

    problems = load("class")
    if unknown := sorted(set(args.only or ()) - {problem.name for problem in problems}):
        parser.error(f"no law {unknown[0]!r} in class")
    chosen = [problem for problem in problems if not args.only or problem.name in args.only]
    runs = [(p, s, d) for s in args.noise for p in chosen for d in range(args.draws)]
    rows: list[dict[str, Any]] = []
    with results_run(args, "class_laws") as run:
        for problem, share, draw in progress(runs, lambda run: f"{run[0].name}, noise {run[1]:g}"):
            make = partial(row_of, problem, share, draw, args.rows, args.groups)
            rows.append(run.once(f"{problem.name} {share:g} {draw}", make))
            run.save({"rows": rows})
    columns = ("law", "noise", "draw", "found", "worst", "seconds", "formula")
    say_table(columns, [[_shown(row[name]) for name in columns] for row in rows], left=(0, 6))
    for share in args.noise:
        own = [row for row in rows if row["noise"] == share]
        say(f"noise {share:g}: {sum(row['found'] for row in own)} of {len(own)} found")
    return rows


def _shown(value: Any) -> Any:
    return f"{value:.2g}" if isinstance(value, float) else value


if __name__ == "__main__":
    main()
