"""The paper's fifteen real tables (section 5, supplement H): test errors at equal CPU seconds.

``python -m recipes.pmlb --seconds 20`` standardises each table over all its rows, cuts it into
60 % to train, 20 % to validate and 20 % to test by the seed, and reads the test rows once. The
paper's own split is unknown, so its figures stand beside ours for orientation only.
"""

from __future__ import annotations

import gzip
import json
import math
import os
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from recipes.others.regressors import Part, get_methods, mse
from recipes.shared.flags import positive, recipe_parser
from recipes.shared.results import command_line, prepare

SETS = (
    "1027_ESL",
    "1028_SWD",
    "1029_LEV",
    "1030_ERA",
    "1089_USCrime",
    "1096_FacultySalaries",
    "192_vineyard",
    "195_auto_price",
    "207_autoPrice",
    "210_cloud",
    "228_elusage",
    "229_pwLinear",
    "230_machine_cpu",
    "4544_GeographicalOriginalofMusic",
    "485_analcatdata_vehicle",
)
"""The tables in the order of the paper's Table 5."""

PAPER = {
    "OccamNet": (0.251, 0.704, 0.542, 0.713, 0.589, 0.151, 0.335, 0.137, 0.135, 0.084, 0.180,
                 0.223, 1.088, 0.570, 1.664),
    "V100": (0.141, 0.706, 0.491, 0.679, 0.209, 0.082, 0.761, 0.132, 0.194, 0.086, 0.177, 0.214,
             0.157, 0.440, 0.334),
    "Eplex": (0.223, 0.742, 0.474, 0.679, 0.116, 0.091, 0.829, 0.119, 0.150, 0.097, 0.275, 0.426,
              0.487, 0.442, 0.441),
    "XGB": (0.147, 0.648, 0.464, 0.659, 0.113, 0.234, 0.316, 0.094, 0.094, 0.080, 0.150, 0.165,
            0.622, 0.228, 0.188),
}  # fmt: skip
"""The paper's test MSE (Table 8)."""


class Record:
    """Rows in ``results.json``, written anew with each row so that a stop loses none.

    Args:
        path: The file.
        packages: Those whose versions the figures depend on.
    """

    def __init__(self, path: Path, packages: Sequence[str]) -> None:
        self.path = path
        self.rows: list[dict[str, Any]] = []
        self.about = {
            "command": command_line(),
            "processor": platform.processor() or platform.machine(),
            "versions": {"python": platform.python_version()}
            | {package: _version(package) for package in packages},
        }

    def add(self, row: dict[str, Any]) -> None:
        self.rows.append(row)
        # JSON knows no infinity; null stands for a figure that is not finite.
        rows = [{k: None if _unfit(v) else v for k, v in row.items()} for row in self.rows]
        scratch = self.path.with_suffix(".part")
        scratch.write_text(json.dumps({**self.about, "rows": rows}, indent=1) + "\n")
        scratch.replace(self.path)


def _unfit(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def find_tables(data: str | Path | None) -> Path:
    """The folder of the tables.

    Raises:
        FileNotFoundError: If neither `data` nor $OCCAMHEAD_DATA/pmlb is one.
    """
    root = os.environ.get("OCCAMHEAD_DATA")
    folder = Path(data).expanduser() if data else Path(root, "pmlb") if root else None
    if folder is None or not folder.is_dir():
        raise FileNotFoundError(
            f"found no folder of PMLB tables ({folder or 'none named'}): clone "
            "github.com/EpistasisLab/pmlb with Git LFS, put the datasets/NAME/NAME.tsv.gz in one "
            "folder and name it with --data, or as pmlb/ in the folder OCCAMHEAD_DATA"
        )
    return folder


def read_table(folder: Path, name: str) -> Part:
    """Features [rows, columns] and target [rows], standardised over all rows.

    Raises:
        FileNotFoundError: If the folder has no such table.
        ValueError: If the file is no table, such as the pointer that Git LFS leaves.
    """
    path = folder / f"{name}.tsv.gz"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; --sets leaves tables out")
    try:
        with gzip.open(path, "rt") as file:
            columns = file.readline().split()
            values = np.loadtxt(file, ndmin=2)
        target = columns.index("target")
    except (gzip.BadGzipFile, ValueError) as error:
        raise ValueError(
            f"{path} is no gzipped table of numbers with a column 'target': {error}; "
            "if Git LFS left a pointer there, run git lfs pull"
        ) from error
    y, x = values[:, target], np.delete(values, target, axis=1)
    x = x[:, x.std(axis=0) > 0]
    return (x - x.mean(axis=0)) / x.std(axis=0), (y - y.mean()) / y.std()


def split(x: np.ndarray, y: np.ndarray, seed: int) -> tuple[Part, Part, Part]:
    """Shuffle by the seed; 60 % to train, 20 % to validate, the rest to test."""
    order = np.random.default_rng(seed).permutation(len(y))
    train, validation, test = np.split(order, [int(0.6 * len(y)), int(0.8 * len(y))])
    return (x[train], y[train]), (x[validation], y[validation]), (x[test], y[test])


def numbers(texts: Sequence[str], last: int = len(SETS)) -> list[int]:
    """The numbers from 1 to `last` that "1-4 7 12" or "1-4,7,12" name, ascending.

    Raises:
        ValueError: If a text is no number or range, or a number is beyond the last.
    """
    chosen: set[int] = set()
    for text in ",".join(texts).split(","):
        first, _, end = text.partition("-")
        if not (first.isdigit() and (end or first).isdigit()):
            raise ValueError(f"cannot read {text!r} as numbers of tables; write 1-4 7 12")
        chosen.update(range(int(first), int(end or first) + 1))
    if unknown := sorted(number for number in chosen if not 1 <= number <= last):
        raise ValueError(f"there is no table {unknown[0]}; the paper's are 1 to {last}")
    return sorted(chosen)


def main(argv: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Run the comparison; returns the rows that it writes to results.json."""
    parser = recipe_parser("pmlb", __doc__)
    add = parser.add_argument
    add("--data", help="folder of the tables; default $OCCAMHEAD_DATA/pmlb")
    add("--sets", nargs="+", default=["1-15"], metavar="N", help="numbers of Table 5: 1-4 7 12")
    add("--seeds", type=positive, default=3, help="splits, seeded 0, 1, ...")
    add("--seconds", type=float, default=20.0, help="CPU seconds of each fit")
    add(
        "--methods",
        nargs="+",
        default=["occamhead", "ridge", "gplearn", "operon"],
        help="also 'ridge (train)', which ridge brings along, and 'occamhead (train)'",
    )
    args = parser.parse_args(argv)
    names = list(dict.fromkeys(args.methods))
    if "ridge" in names and "ridge (train)" not in names:
        # Ours and ridge see the validation rows in fitting and the peers do not: show both.
        names.insert(names.index("ridge") + 1, "ridge (train)")
    if not 0 < args.seconds < math.inf:
        parser.error(f"--seconds must be positive, got {args.seconds}")
    try:
        methods = get_methods(names)
        chosen = [SETS[number - 1] for number in numbers(args.sets)]
    except ValueError as error:
        parser.error(str(error))
    folder = find_tables(args.data)
    tables = {name: read_table(folder, name) for name in chosen}
    out = prepare(args.out, "pmlb", args.overwrite)
    record = Record(
        out / "results.json", ("occamhead", "numpy", "scikit-learn", "gplearn", "pyoperon")
    )
    bar = tqdm(total=len(chosen) * args.seeds * len(methods), disable=None, file=sys.stderr)
    with threadpool_limits(1), bar:
        for name in chosen:
            for seed in range(args.seeds):
                train, validation, (x_test, y_test) = split(*tables[name], seed)
                for method, fit in methods.items():
                    bar.set_description(f"{name}, {method}")
                    fitted = fit(train, validation, args.seconds, seed)
                    record.add(
                        {
                            "set": name,
                            "method": method,
                            "seed": seed,
                            "test_mse": mse(fitted.predict(x_test), y_test),
                            "seconds": fitted.seconds,
                            "formula": fitted.formula,
                            "nodes": fitted.nodes,
                        }
                    )
                    bar.update()
    report(record.rows, {name: table[0].shape for name, table in tables.items()})
    print(f"results in {out}", flush=True)
    return record.rows


# --- what is printed ----------------------------------------------------------------------------


def medians(rows: Sequence[dict[str, Any]], method: str, value: str) -> dict[str, float]:
    """The median over the seeds of one method's figure on each set."""
    found: dict[str, list[float]] = {}
    for row in rows:
        if row["method"] == method:
            found.setdefault(row["set"], []).append(row[value])
    return {name: float(np.median(values)) for name, values in found.items()}


def pairs_won(rows: Sequence[dict[str, Any]], ours: str, other: str) -> tuple[int, int]:
    """On how many splits `ours` has the lower test error, and how many there are."""
    errors: dict[str, dict[tuple[str, int], float]] = {}
    for row in rows:
        errors.setdefault(row["method"], {})[row["set"], row["seed"]] = row["test_mse"]
    pairs = [(error, errors[other][split]) for split, error in errors[ours].items()]
    return sum(a < b for a, b in pairs), len(pairs)


def report(rows: Sequence[dict[str, Any]], shapes: dict[str, tuple[int, ...]]) -> None:
    """Print the table of test errors and the counts."""
    methods = list(dict.fromkeys(row["method"] for row in rows))
    error = {method: medians(rows, method, "test_mse") for method in methods}
    ours = next((method for method in methods if method.startswith("occamhead")), None)
    nodes = medians(rows, ours, "nodes") if ours else {}
    widths = [max(9, len(method) + 1) for method in methods]
    paper = "".join(f"{name:>9}" for name in PAPER)
    heads = "".join(f"{m:>{w}}" for m, w in zip(methods, widths, strict=True))
    print(f"test MSE, median over seeds; nodes of {ours or 'no'} formula; the paper's on the right")
    print(f"{'set':<36}{'rows':>6}{'features':>9} |{heads} |{'nodes':>6} |{paper}")
    for name, (count, width) in shapes.items():
        number = SETS.index(name)
        figures = "".join(f"{error[m][name]:>{w}.3f}" for m, w in zip(methods, widths, strict=True))
        size = f"{nodes[name]:.0f}" if ours else "-"
        theirs = "".join(f"{column[number]:>9.3f}" for column in PAPER.values())
        title = f"{number + 1} {name}"
        print(f"{title:<36}{count:>6}{width:>9} |{figures} |{size:>6} |{theirs}")
    print(f"\nsets where the median is at most the paper's, of {len(shapes)}:")
    for method in methods:
        below = {
            label: sum(error[method][name] <= column[SETS.index(name)] for name in shapes)
            for label, column in PAPER.items()
        }
        print(f"  {method}: " + ", ".join(f"{label} {count}" for label, count in below.items()))
    if ours:
        print(f"\n{ours} against: sets within 2 % or below, sets below, splits won")
        for other in methods:
            if other != ours:
                near = sum(error[ours][name] <= 1.02 * error[other][name] for name in shapes)
                below_it = sum(error[ours][name] < error[other][name] for name in shapes)
                won, total = pairs_won(rows, ours, other)
                count = len(shapes)
                print(f"  {other}: {near} of {count}, {below_it} of {count}, {won} of {total}")


if __name__ == "__main__":
    main()
