"""Laws of physics and engineering, with real constants, found again from 500 rows without noise.

``python -m recipes.laws --seconds 20`` gives every method the same rows and CPU seconds. A law is
found if the formula agrees with it to a relative error of 1e-6 on fresh points of a domain 1.5
times as wide, as it stands or with its numbers rounded to 2-6 digits; its structure is found if
moving each number by at most 1 % gets it there. The laws are in ``configs/laws.yaml``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from occamhead.commands.flags import positive, positive_seconds
from occamhead.commands.output import say
from occamhead.commands.results import results_run
from recipes import CONFIGS
from recipes.shared.flags import recipe_parser


def main(argv: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Run the comparison; returns the rows that it writes to results.json."""
    parser = recipe_parser("laws", __doc__)
    add = parser.add_argument
    add("--config", type=Path, default=CONFIGS / "laws.yaml", help="file of the laws")
    add("--laws", nargs="+", metavar="NAME", help="only these")
    add("--seeds", type=positive, default=3, help="samples of each law, seeded 0, 1, ...")
    add("--seconds", type=positive_seconds, default=20.0, help="most CPU seconds of each fit")
    add("--methods", nargs="+", default=["occamhead", "operon"],
        help="those of recipes.others.regressors")  # fmt: skip
    args = parser.parse_args(argv)
    # What takes seconds to load comes after the flags, so that --help does not wait for it.
    from recipes.laws_of_nature.laws import load_study
    from recipes.laws_of_nature.rows import methods_of, row_of
    from recipes.laws_of_nature.tables import report
    from recipes.shared.progress import progress

    study = load_study(args.config)
    laws = [law for law in study.laws if args.laws is None or law.name in args.laws]
    if unknown := sorted(set(args.laws or ()) - {law.name for law in laws}):
        known = ", ".join(law.name for law in study.laws)
        parser.error(f"unknown law {unknown[0]!r}; known: {known}")
    try:
        methods = methods_of(study, args.methods)
    except ValueError as error:
        parser.error(str(error))
    rows: list[dict[str, Any]] = []
    runs = [(law, seed, name) for law in laws for seed in range(args.seeds) for name in methods]
    with results_run(args, "laws") as run:
        for law, seed, name in progress(runs, lambda run: f"{run[0].name}, {run[2]}"):
            make = partial(row_of, law, name, methods[name], study, args.seconds, seed)
            rows.append(run.once(f"{law.name} {seed} {name}", make))
            run.save({"rows": rows}, "pyoperon", "gplearn")
        report(rows, laws)
        say(f"results in {run.final}")
        return rows


if __name__ == "__main__":
    main()
