"""The paper's fifteen real tables (section 5, supplement H): test errors at equal CPU seconds.

``python -m recipes.pmlb --seconds 20`` standardises each table over all its rows, cuts it into
60 % to train, 20 % to validate and 20 % to test by the seed, and reads the test rows once. The
paper's own split is unknown, so its figures stand beside ours for orientation only.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from occamhead.commands.flags import positive, positive_seconds
from occamhead.commands.output import say
from occamhead.commands.results import results_run
from recipes.shared.flags import recipe_parser


def main(argv: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Run the comparison; returns the rows that it writes to results.json."""
    parser = recipe_parser("pmlb", __doc__)
    add = parser.add_argument
    add("--data", help="folder of the tables; default $OCCAMHEAD_DATA/pmlb")
    add("--sets", nargs="+", default=["1-15"], metavar="N", help="numbers of Table 5: 1-4 7 12")
    add("--seeds", type=positive, default=3, help="splits, seeded 0, 1, ...")
    add("--seconds", type=positive_seconds, default=20.0, help="CPU seconds of each fit")
    add("--methods", nargs="+", default=["occamhead", "ridge", "gplearn", "operon"],
        help="also 'ridge (train)', which ridge brings along, and 'occamhead (train)'"
    )  # fmt: skip
    args = parser.parse_args(argv)
    # What takes seconds to load comes after the flags, so that --help does not wait for it.
    from recipes.others.regressors import get_methods, mse
    from recipes.real_tables.report import report
    from recipes.real_tables.tables import SETS, find_tables, numbers, read_table, split
    from recipes.shared.progress import progress

    names = list(dict.fromkeys(args.methods))
    if "ridge" in names and "ridge (train)" not in names:
        # Ours and ridge see the validation rows in fitting and the peers do not: show both.
        names.insert(names.index("ridge") + 1, "ridge (train)")
    try:
        methods = get_methods(names)
        chosen = [SETS[number - 1] for number in numbers(args.sets)]
    except ValueError as error:
        parser.error(str(error))
    folder = find_tables(args.data)
    tables = {name: read_table(folder, name) for name in chosen}

    def row_of(name: str, seed: int, method: str) -> dict[str, Any]:
        train, validation, (x, y) = split(*tables[name], seed)
        fitted = methods[method](train, validation, args.seconds, seed)
        row = {"set": name, "method": method, "seed": seed, "test_mse": mse(fitted.predict(x), y)}
        return row | {"seconds": fitted.seconds, "formula": fitted.formula, "nodes": fitted.nodes}

    rows: list[dict[str, Any]] = []
    runs = [(name, seed, m) for name in chosen for seed in range(args.seeds) for m in methods]
    with results_run(args, "pmlb") as run:
        for name, seed, method in progress(runs, lambda run: f"{run[0]}, {run[2]}"):
            rows.append(run.once(f"{name} {seed} {method}", partial(row_of, name, seed, method)))
            run.save({"rows": rows}, "scikit-learn", "gplearn", "pyoperon")
        report(rows, {name: table[0].shape for name, table in tables.items()})
        say(f"results in {run.final}")
        return rows


if __name__ == "__main__":
    main()
