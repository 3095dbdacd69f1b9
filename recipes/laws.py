"""Laws of physics and engineering, with real constants, found again from 500 rows without noise.

``python -m recipes.laws --seconds 20`` gives every method the same rows and CPU seconds. A law is
found if the formula agrees with it to a relative error of 1e-6 on fresh points of a domain 1.5
times as wide, as it stands or with its numbers rounded to 2-6 digits; its structure is found if
moving each number by at most 1 % gets it there. The laws are in ``configs/laws.yaml``.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from occamhead import Expression
from recipes.others.regressors import Method, get_methods, largest_error, mse
from recipes.pmlb import Record
from recipes.shared.flags import positive, recipe_parser
from recipes.shared.results import prepare

CONFIG = Path(__file__).parents[1] / "configs" / "laws.yaml"
TOLERANCE = 1e-6  # relative error of a law that is found
STRUCTURE = 0.01  # how far its numbers may be off where only the structure is
_WORST = 1e100  # stands for a residual that is not finite


@dataclass(frozen=True)
class Law:
    """A law over named inputs.

    Args:
        name: Its name in the tables.
        about: What it computes, in what units.
        formula: One output.
        ranges: Per input the ends of the training range.
        limits: Per input the ends of what is physical.
    """

    name: str
    about: str
    formula: Expression
    ranges: tuple[tuple[float, float], ...]
    limits: tuple[tuple[float, float], ...]

    @property
    def wide(self) -> tuple[tuple[float, float], ...]:
        """The ranges 1.5 times as wide about their centres, cut at the limits."""
        return tuple(
            (max(a - (b - a) / 4, low), min(b + (b - a) / 4, high))
            for (a, b), (low, high) in zip(self.ranges, self.limits, strict=True)
        )

    def sample(self, rows: int, seed: int, wide: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Rows [rows, inputs] drawn uniformly, column by column, and their values [rows]."""
        generator = np.random.default_rng(seed)
        ranges = self.wide if wide else self.ranges
        x = np.column_stack([generator.uniform(a, b, rows) for a, b in ranges])
        return x, self.formula(x)[:, 0]


@dataclass(frozen=True)
class Study:
    """The laws, how many rows they are sampled on, and the options of each method."""

    laws: tuple[Law, ...]
    rows: int
    fresh_rows: int
    options: Mapping[str, Mapping[str, Any]]


def load_study(path: str | Path = CONFIG) -> Study:
    """Read the laws.

    Raises:
        ValueError: If a range is empty or leaves its limits, or a formula does not parse.
    """
    config = yaml.safe_load(Path(path).read_text())
    laws = []
    for name, entry in config["laws"].items():
        inputs = entry["inputs"]
        for symbol, about in inputs.items():
            (a, b), (low, high) = about["range"], about["limits"]
            if not low <= a < b <= high:
                raise ValueError(
                    f"{name}: range [{a}, {b}] of {symbol} must ascend within its limits "
                    f"[{low}, {high}]"
                )
        laws.append(
            Law(
                name,
                entry["about"],
                Expression.parse(entry["law"], names=list(inputs)),
                tuple((float(i["range"][0]), float(i["range"][1])) for i in inputs.values()),
                tuple((float(i["limits"][0]), float(i["limits"][1])) for i in inputs.values()),
            )
        )
    return Study(tuple(laws), config["rows"], config["fresh_rows"], config["methods"])


# --- the judge ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Verdict:
    """What a formula is worth.

    Args:
        found: It is the law, to :data:`TOLERANCE`.
        structure: It is the law but for numbers within 1 %; true of every law that is found.
        error: Its largest relative error on the fresh points of the wide domain, the smallest
            over the roundings.
        r2: Its share of explained variance on fresh points of the training domain.
        formula: The formula that was judged best, rounded where that is as good.
    """

    found: bool
    structure: bool
    error: float
    r2: float
    formula: str


def judge(formula: Expression, law: Law, seed: int, rows: int = 2000) -> Verdict:
    """Compare a formula with the law on points that no method saw."""
    wide = law.sample(rows, 7777 + seed, wide=True)
    x, y = law.sample(rows, 8888 + seed)
    candidates = [formula, *(formula.rounded(digits) for digits in range(6, 1, -1))]
    errors = [largest_error(candidate, *wide) for candidate in candidates]
    found = min(errors) <= TOLERANCE
    # Of the formulas that are the law, the one with the fewest digits.
    best = max((i for i, e in enumerate(errors) if e <= TOLERANCE), default=0)
    structure = found
    if not found:
        moved = refit(formula, *wide, within=STRUCTURE, weights=1 / np.abs(wide[1]))
        structure = largest_error(moved, *wide) <= TOLERANCE
    r2 = 1 - mse(formula(x)[:, 0], y) / float(np.var(y))
    return Verdict(found, structure, min(errors), r2, str(candidates[best]))


def refit(
    expression: Expression,
    x: np.ndarray,
    y: np.ndarray,
    within: float = math.inf,
    weights: np.ndarray | float = 1.0,
) -> Expression:
    """The formula with its numbers moved to the least sum of squares of ``weights * (p - y)``.

    Args:
        expression: One output. Its whole numbers up to 10 and 0.5 are structure and stay.
        x: Rows [n, inputs].
        y: Targets [n].
        within: How far each number may move, relative to itself.
        weights: One per row.
    """
    from scipy.optimize import least_squares

    start: list[float] = []

    def note(value: float) -> float:
        if not _is_structure(value):
            start.append(value)
        return value

    expression.with_numbers(note)
    if not start:
        return expression
    values = np.array(start)

    def replaced(numbers: np.ndarray) -> Expression:
        rest = iter(numbers.tolist())
        return expression.with_numbers(lambda value: value if _is_structure(value) else next(rest))

    def residuals(numbers: np.ndarray) -> np.ndarray:
        error = weights * (replaced(numbers)(x)[:, 0] - y)
        return np.clip(np.nan_to_num(error, nan=_WORST), -_WORST, _WORST)

    # In units of each number, so that they may differ by powers of ten.
    with np.errstate(all="ignore"):
        result = least_squares(
            lambda relative: residuals(values * relative),
            np.ones(len(values)),
            bounds=(1 - within, 1 + within),
            x_scale="jac",
            ftol=1e-15,
            xtol=1e-15,
            gtol=1e-15,
            max_nfev=100,
        )
    return replaced(values * result.x)


def _is_structure(value: float) -> bool:
    return value in (0.5, -0.5) or (abs(value) <= 10 and value == round(value))


# --- the comparison -----------------------------------------------------------------------------


def main(argv: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Run the comparison; returns the rows that it writes to results.json."""
    parser = recipe_parser("laws", __doc__)
    add = parser.add_argument
    add("--config", type=Path, default=CONFIG, help="file of the laws")
    add("--laws", nargs="+", metavar="NAME", help="only these")
    add("--seeds", type=positive, default=3, help="samples of each law, seeded 0, 1, ...")
    add("--seconds", type=float, default=20.0, help="most CPU seconds of each fit")
    add(
        "--methods",
        nargs="+",
        default=["occamhead", "operon"],
        help="those of recipes.others.regressors",
    )
    args = parser.parse_args(argv)
    study = load_study(args.config)
    if not 0 < args.seconds < math.inf:
        parser.error(f"--seconds must be positive, got {args.seconds}")
    laws = [law for law in study.laws if args.laws is None or law.name in args.laws]
    if unknown := sorted(set(args.laws or ()) - {law.name for law in laws}):
        known = ", ".join(law.name for law in study.laws)
        parser.error(f"unknown law {unknown[0]!r}; known: {known}")
    try:
        methods = {
            name: _with_options(name, method, study.options.get(name, {}))
            for name, method in get_methods(args.methods).items()
        }
    except ValueError as error:
        parser.error(str(error))
    out = prepare(args.out, "laws", args.overwrite)
    record = Record(out / "results.json", ("occamhead", "numpy", "pyoperon", "gplearn"))
    bar = tqdm(total=len(laws) * args.seeds * len(methods), disable=None, file=sys.stderr)
    with threadpool_limits(1), bar:
        for law in laws:
            for seed in range(args.seeds):
                x, y = law.sample(study.rows, 1000 + seed)
                cut = int(0.8 * study.rows)
                train, validation = (x[:cut], y[:cut]), (x[cut:], y[cut:])
                for name, fit in methods.items():
                    bar.set_description(f"{law.name}, {name}")
                    fitted = fit(train, validation, args.seconds, seed)
                    row = {
                        "law": law.name,
                        "method": name,
                        "seed": seed,
                        "found": False,
                        "structure": False,
                        "error": math.inf,
                        "test_r2": -math.inf,
                        "seconds": fitted.seconds,
                        "formula": fitted.formula,
                        "nodes": fitted.nodes,
                    }
                    if fitted.expression is not None:
                        formula = fitted.expression.renamed(law.formula.names)
                        verdict = judge(formula, law, seed, study.fresh_rows)
                        row |= {
                            "found": verdict.found,
                            "structure": verdict.structure,
                            "error": verdict.error,
                            "test_r2": verdict.r2,
                            "formula": verdict.formula,
                        }
                    record.add(row)
                    bar.update()
    report(record.rows, laws)
    print(f"results in {out}", flush=True)
    return record.rows


def _with_options(name: str, method: Method, options: Mapping[str, Any]) -> Method:
    extra: dict[str, Any] = dict(options)
    if name == "operon":
        extra["refit"] = refit
    return partial(method, **extra) if extra else method


def report(rows: Sequence[dict[str, Any]], laws: Sequence[Law]) -> None:
    """Print, per law and method, how often it was found, how, and in what time."""
    methods = list(dict.fromkeys(row["method"] for row in rows))
    print("found and structure found: of how many samples; 1 - R2 and CPU seconds: medians")
    for law in laws:
        print(f"\n{law.name}: {law.formula}")
        for method in methods:
            mine = [r for r in rows if (r["law"], r["method"]) == (law.name, method)]
            best = min(mine, key=lambda r: (not r["found"], not r["structure"], r["error"]))
            found, structure = (sum(r[key] for r in mine) for key in ("found", "structure"))
            rest = np.median([1 - r["test_r2"] for r in mine])
            seconds = np.median([r["seconds"] for r in mine])
            print(
                f"  {method:<12} found {found}/{len(mine)}, structure {structure}/{len(mine)},"
                f" 1 - R2 {rest:.1e}, {seconds:.1f} s: {_short(best['formula'])}"
            )
    print()
    for method in methods:
        mine = [row for row in rows if row["method"] == method]
        solved = {row["law"] for row in mine if row["found"]}
        print(
            f"{method}: found {sum(row['found'] for row in mine)} of {len(mine)} samples,"
            f" structure {sum(row['structure'] for row in mine)},"
            f" {len(solved)} of {len(laws)} laws at some seed"
        )


def _short(formula: str, width: int = 100) -> str:
    return formula if len(formula) <= width else f"{formula[: width - 4]} ..."


if __name__ == "__main__":
    main()
