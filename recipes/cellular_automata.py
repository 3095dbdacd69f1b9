"""Cellular automata from windows of cells: the rule as a program that is proven to be the network.

``python -m recipes.cellular_automata`` learns all 256 elementary rules from their 8 windows and
Conway's Life from all 512 and from random ones, distils every network into a program, lets the
program of Life run on a board, and sets a decision tree, an MLP and a logistic regression beside.
"Exact" means right on every window. Tokens are Python's own, below the docstring and the line that
names the inputs; those of the shortest two-level form are counted in the same way.

Source: Blazek et al. 2024 (Nat Comput Sci 4, 110-118), whose figure 2 has these tasks.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from occamhead.distill import FeatureSpec, distill, source
from occamhead.essence import fit_circuit
from occamhead.expression import Expression
from occamhead.expression.program_source import body_tokens
from occamhead.fitting import one_thread
from recipes.baselines import BASELINES, fitted
from recipes.flags import add_output, positive, recipe_parser
from recipes.report import prepare, write_results
from recipes.run import say
from recipes.two_level import minimum

Ints = NDArray[np.int64]
WINDOW = FeatureSpec.window()
CELLS = FeatureSpec.booleans(["left", "centre", "right"])
_STRIP = 64  # rows of a board that are computed at once


def arguments() -> argparse.ArgumentParser:
    parser = recipe_parser("cellular_automata", __doc__)
    add = parser.add_argument
    add("--rules", nargs="+", type=int, default=list(range(256)), metavar="RULE")
    add(
        "--samples",
        nargs="+",
        type=positive,
        default=[512, 300, 100],
        metavar="COUNT",
        help="windows of Life to learn from, without repetition; 512 are all",
    )
    add("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    add("--board", type=positive, default=1024, help="side of the board on which Life runs")
    add("--steps", type=positive, default=100, help="steps for which it runs")
    add_output(parser, "cellular_automata")
    return parser


@one_thread()
def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the recipe; returns what it writes to results.json."""
    parser = arguments()
    args = parser.parse_args(argv)
    if odd := [rule for rule in args.rules if not 0 <= rule < 256]:
        parser.error(f"elementary rules are 0 to 255, got {odd[0]}")
    if odd := [count for count in args.samples if count > WINDOW.num_rows]:
        parser.error(f"there are {WINDOW.num_rows} windows, got --samples {odd[0]}")
    out = prepare(args.out, "cellular_automata", args.overwrite)
    rows = [row for rule in args.rules for row in elementary(rule)]
    say_elementary(rows)
    boards = []
    for samples in args.samples:
        # All windows are the same whatever the seed.
        for seed in args.seeds if samples < WINDOW.num_rows else args.seeds[:1]:
            found, program = life_rows(samples, seed)
            rows += found
            if samples == WINDOW.num_rows:
                boards.append(on_board(program, args.board, args.steps, seed))
    say_life(rows, args.samples)
    for board in boards:
        verdict = "equals" if board["wrong_cells"] == 0 else "differs from"
        say(
            f"on a board of {args.board} x {args.board} the program {verdict} Life for"
            f" {args.steps} steps ({board['seconds']:.1f} s)"
        )
    return write_results(
        out,
        {
            "task": "cellular_automata",
            "rows": rows,
            "boards": boards,
        },
    )


# --- the rules ------------------------------------------------------------------------------------


def elementary(rule: int) -> list[dict[str, Any]]:
    """One rule of Wolfram's, learned from its eight windows by every method."""
    windows = CELLS.rows()
    labels = np.right_shift(rule, windows @ np.array([4, 2, 1])) & 1
    task = f"rule {rule}"
    row, _ = by_essence(task, windows, labels, windows, labels, CELLS, seed=0)
    started = time.perf_counter()
    line = f'def predict(x):\n    """."""\n    return {minimum(labels, CELLS.names)}\n'
    two_level = {**row, "method": "two_level", "certificate": None, "program": line}
    two_level |= {"tokens": body_tokens(line), "seconds": time.perf_counter() - started}
    return [row, two_level, *by_others(task, windows, labels, windows, labels, seed=0)]


def life_rows(samples: int, seed: int) -> tuple[list[dict[str, Any]], Expression]:
    """Life, learned from some of its windows by every method, and the program."""
    windows = WINDOW.rows()
    labels = life(windows[:, 4], windows.sum(axis=1) - windows[:, 4])
    chosen = np.random.default_rng(seed).permutation(len(windows))[:samples]
    data = windows[chosen], labels[chosen], windows, labels
    row, program = by_essence("life", *data, WINDOW, seed)
    return [row, *by_others("life", *data, seed)], program


def life(alive: Ints, neighbours: Ints) -> Ints:
    """Conway's rule: born with three neighbours, kept with two or three."""
    return ((neighbours == 3) | ((alive == 1) & (neighbours == 2))).astype(np.int64)


def by_essence(
    task: str, x: Ints, y: Ints, all_x: Ints, all_y: Ints, spec: FeatureSpec, seed: int
) -> tuple[dict[str, Any], Expression]:
    started = time.perf_counter()
    circuit = fit_circuit(x, y, classes=2)
    program, certificate = distill(circuit, spec)
    seconds = time.perf_counter() - started
    text = source(program, spec, certificate)
    row = {
        "task": task,
        "method": "essence",
        "seed": seed,
        "samples": len(x),
        "accuracy": float(np.mean(program(all_x)[:, 0] == all_y)),
        "certificate": str(certificate),
        "lossless": certificate.lossless,
        "program": text,
        "tokens": body_tokens(text),
        "seconds": seconds,
    }
    return row | {"exact": row["accuracy"] == 1.0}, program


def by_others(
    task: str, x: Ints, y: Ints, all_x: Ints, all_y: Ints, seed: int
) -> list[dict[str, Any]]:
    """What others make of the same windows; of one class alone there is nothing to learn."""
    rows = []
    for name in BASELINES:
        started = time.perf_counter()
        predicted = np.full_like(all_y, y[0])
        if len(np.unique(y)) > 1:
            predicted = fitted(name, x, y, seed).predict(all_x)
        accuracy = float(np.mean(predicted == all_y))
        rows.append(
            {
                "task": task,
                "method": name,
                "seed": seed,
                "samples": len(x),
                "accuracy": accuracy,
                "certificate": None,
                "lossless": False,
                "program": None,
                "tokens": None,
                "seconds": time.perf_counter() - started,
                "exact": accuracy == 1.0,
            }
        )
    return rows


def on_board(program: Expression, side: int, steps: int, seed: int) -> dict[str, Any]:
    """Run the program and Life side by side on a random board whose edges meet."""
    started = time.perf_counter()
    board = np.random.default_rng(seed).integers(0, 2, (side, side))
    own, wrong = board, 0
    for _ in range(steps):
        shifts = [(down, right) for down in (1, 0, -1) for right in (1, 0, -1)]
        truth = sum(np.roll(board, shift, (0, 1)) for shift in shifts) - board
        board = life(board, truth)
        cells = [np.roll(own, shift, (0, 1)) for shift in shifts]
        strips = [
            program(np.stack([c[top : top + _STRIP] for c in cells], axis=-1))[..., 0]
            for top in range(0, side, _STRIP)
        ]
        own = np.concatenate(strips).astype(np.int64)
        wrong += int((own != board).sum())
    seconds = time.perf_counter() - started
    return {"side": side, "steps": steps, "seed": seed, "wrong_cells": wrong, "seconds": seconds}


# --- the tables -----------------------------------------------------------------------------------


def say_elementary(rows: Sequence[Mapping[str, Any]]) -> None:
    """The table of the elementary rules."""
    say(f"{'elementary rules':<20} {'exact':>9} {'lossless':>9} {'tokens':>13} {'seconds':>8}")
    for name in ("essence", "two_level", *BASELINES):
        own = [row for row in rows if row["method"] == name]
        lengths = [row["tokens"] for row in own if row["tokens"] is not None]
        tokens = f"{np.mean(lengths):.1f}, max {max(lengths)}" if lengths else "-"
        proven = sum(row["lossless"] for row in own) if name == "essence" else "-"
        say(
            f"{name:<20} {sum(row['exact'] for row in own):>4}/{len(own):<4} {proven:>9}"
            f" {tokens:>13} {sum(row['seconds'] for row in own):>8.1f}"
        )


def say_life(rows: Sequence[Mapping[str, Any]], samples: Sequence[int]) -> None:
    """The table of Life, and its program."""
    heads = "".join(f"{f'{count} windows':>20}" for count in samples)
    say(f"\n{'Life: exact, mean':<20}{heads}")
    for name in ("essence", *BASELINES):
        cells = ""
        for count in samples:
            own = [
                row
                for row in rows
                if (row["task"], row["method"], row["samples"]) == ("life", name, count)
            ]
            exact = sum(row["exact"] for row in own)
            cell = f"{exact}/{len(own)}, {np.mean([row['accuracy'] for row in own]):.3f}"
            cells += f"{cell:>20}"
        say(f"{name:<20}{cells}")
    best = min(
        (row for row in rows if (row["task"], row["method"]) == ("life", "essence")),
        key=lambda row: (not row["exact"], row["tokens"]),
    )
    say(f"\n{best['program']}")


if __name__ == "__main__":
    main()
