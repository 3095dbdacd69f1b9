"""Cellular automata from windows of cells: the rule as a program that is proven to be the network.

``python -m recipes.cellular_automata`` learns from windows and the next state of their centre

- elementary: all 256 elementary rules, each from its 8 windows;
- life: Conway's Life from all 512 windows, then run on a board, and from random ones;
- totalistic: random rules that count living neighbours, from all 512 windows;
- named: HighLife, Day & Night, Maze, Seeds and Life without Death from random windows;
- noise: Life from windows drawn with repetition of whose labels some are flipped;
- any: the 256 elementary rules at once, whose eight bits stand beside the window, as one program.

Every network is distilled into a program. Beside it stand the two-level minimum (the shortest
``or`` of ``and``s; what it says of windows that were not seen is free), a decision tree, an MLP and
a logistic regression. "Exact" means right on every window, seen or not. Tokens are Python's own,
below the docstring and the line that names the inputs. The program learned from all of Life's
windows becomes ``life.py``; ``--picture`` lets that file run a glider gun.

Source: Blazek et al. 2024 (Nat Comput Sci 4, 110-118), whose figure 2 has the elementary rules and
Life; the other tasks are ours.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from occamhead.expression import Expression
from occamhead.training.fit import one_thread
from recipes.automata_rows import (
    METHODS,
    RULE_AND_CELLS,
    Sample,
    by_essence,
    elementary,
    every_method,
    of_any_rule,
    with_noise,
    without_repetition,
)
from recipes.board_picture import picture_gun
from recipes.life_rules import LIFE, NAMES, NUM_RULES, WINDOW, LifeRule, random_rules, windows_of
from recipes.shared.flags import add_output, positive, recipe_parser
from recipes.shared.report import prepare, write_results
from recipes.shared.run import say

Ints = NDArray[np.int64]
Rows = list[dict[str, Any]]
AIMS = {  # what was asked of the essence network before the first run
    "elementary": "all exact and lossless, 10 s in all, no program longer than two_level's",
    "life": "28 of 30 seeds exact at 100 windows, 2 s each",
    "totalistic": "all exact, 2 s each",
    "named": "9 of 10 seeds exact at 250 windows",
    "noise": "9 of 10 seeds exact at 10,000 draws and 10 %",
    "any": "exact from 512 of 2,048 rows, printed as an index (a stretch)",
}
_STRIP = 64  # rows of a board that are computed at once


def arguments() -> argparse.ArgumentParser:
    parser = recipe_parser("cellular_automata", __doc__)
    add = parser.add_argument
    counts: dict[str, Any] = {"nargs": "+", "type": positive, "metavar": "COUNT"}
    add("--tasks", nargs="+", choices=list(AIMS), default=list(AIMS))
    add("--seeds", nargs="+", type=int, default=list(range(10)), help="of what is drawn at random")
    add("--rules", nargs="+", type=int, default=list(range(256)), metavar="RULE",
        help="elementary rules, in Wolfram's numbering")  # fmt: skip
    add("--samples", **counts, default=[512, 300, 100],
        help="windows of Life to learn from, without repetition; 512 are all")  # fmt: skip
    add("--random-rules", type=positive, default=100, help="how many, drawn with the first seed")
    add("--named-rules", nargs="+", type=_rule, default=[rule for rule in NAMES if rule != LIFE],
        metavar="RULE", help="rules in notation such as B36/S23")  # fmt: skip
    add("--named-samples", **counts, default=[250], help="windows of each named rule")
    add(
        "--draws",
        **counts,
        default=[10_000, 3_000, 1_000],
        help="windows of Life with noisy labels",
    )
    add("--any-samples", **counts, default=[2048, 512],
        help="pairs of a rule and a window, without repetition; 2048 are all")  # fmt: skip
    add("--noise", type=float, default=0.1, help="probability that a label is flipped")
    add("--board", type=positive, default=1024, help="side of the board on which Life runs")
    add("--steps", type=positive, default=100, help="steps for which it runs")
    add("--picture", action="store_true", help="draw a board that evolves under Life's program")
    add_output(parser, "cellular_automata")
    return parser


def _rule(notation: str) -> LifeRule:
    try:
        return LifeRule.parse(notation)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def checked(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments; those that make no sense end the program with a message."""
    args = parser.parse_args(argv)
    if odd := [rule for rule in args.rules if not 0 <= rule < 256]:
        parser.error(f"elementary rules are 0 to 255, got {odd[0]}")
    for flag in ("samples", "named_samples"):
        if odd := [count for count in getattr(args, flag) if count > WINDOW.num_rows]:
            flag = flag.replace("_", "-")
            parser.error(f"there are {WINDOW.num_rows} windows, got --{flag} {odd[0]}")
    every = RULE_AND_CELLS.num_rows
    if odd := [count for count in args.any_samples if count > every]:
        parser.error(f"there are {every} pairs of a rule and a window, got --any-samples {odd[0]}")
    if args.random_rules > NUM_RULES:
        parser.error(f"there are {NUM_RULES} rules, got --random-rules {args.random_rules}")
    if not 0 < args.noise < 0.5:
        parser.error(f"--noise must lie between 0 and 0.5, both excluded, got {args.noise:g}")
    if args.picture and ("life" not in args.tasks or WINDOW.num_rows not in args.samples):
        parser.error(
            "--picture runs the program of Life that was learned from all windows: add life to"
            f" --tasks and {WINDOW.num_rows} to --samples"
        )
    return args


@one_thread()
def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the recipe; returns what it writes to results.json."""
    args = checked(arguments(), argv)
    out = prepare(args.out, "cellular_automata", args.overwrite)
    runs = {
        "elementary": elementary_rules,
        "life": life,
        "totalistic": totalistic_rules,
        "named": named_rules,
        "noise": noisy_life,
        "any": any_rule,
    }
    rows: Rows = []
    boards = []
    for task in args.tasks:
        rows += runs[task](args)
        if task == "life" and WINDOW.num_rows in args.samples:
            row, program = by_essence(without_repetition("life", LIFE, WINDOW.num_rows, 0))
            (out / "life.py").write_text(row["program"])
            boards.append(on_board(program, args.board, args.steps, args.seeds[0]))
            say_board(boards[-1])
    results = write_results(out, {"task": "cellular_automata", "rows": rows, "boards": boards})
    if args.picture:
        for path in picture_gun(out / "life.py", "all windows of Life"):
            say(f"picture in {path}")
    return results


# --- the tasks ------------------------------------------------------------------------------------


def elementary_rules(args: argparse.Namespace) -> Rows:
    rows = [row for rule in args.rules for row in every_method(elementary(rule))]
    say_rules(f"{len(args.rules)} rules, from all 8 windows", rows)
    return rows


def life(args: argparse.Namespace) -> Rows:
    title = "windows without repetition"
    draw = partial(without_repetition, "life", LIFE)
    return of_parts(title, args.samples, WINDOW.num_rows, args.seeds, draw)


def totalistic_rules(args: argparse.Namespace) -> Rows:
    rules, seed = random_rules(args.random_rules, args.seeds[0]), args.seeds[0]
    rows = [
        row
        for rule in rules
        for row in every_method(without_repetition("totalistic", rule, WINDOW.num_rows, seed))
    ]
    say_rules(f"{len(rules)} random rules, from all 512 windows", rows)
    return rows


def named_rules(args: argparse.Namespace) -> Rows:
    every = []
    for count in args.named_samples:
        rows = [
            row
            for rule in args.named_rules
            for seed in args.seeds
            for row in every_method(without_repetition("named", rule, count, seed))
        ]
        say_columns(f"{count} windows without repetition", rows, by="rule")
        say_programs(rows)
        every += rows
    return every


def noisy_life(args: argparse.Namespace) -> Rows:
    rows = [
        row
        for draws in args.draws
        for seed in args.seeds
        for row in every_method(with_noise("noise", LIFE, draws, args.noise, seed))
    ]
    share = f"{100 * args.noise:g} % of labels flipped"
    say_columns(f"Life, {share}, windows drawn with repetition", rows, by="samples")
    say_programs(rows)
    return rows


def any_rule(args: argparse.Namespace) -> Rows:
    title = "rules and windows without repetition"
    return of_parts(title, args.any_samples, RULE_AND_CELLS.num_rows, args.seeds, of_any_rule)


def of_parts(
    title: str,
    counts: Sequence[int],
    whole: int,
    seeds: Sequence[int],
    draw: Callable[[int, int], Sample],
) -> Rows:
    """The rows of what is learned from so many of `whole` rows, drawn by count and seed."""
    rows = [
        row
        for count in counts
        # All of them are the same whatever the seed.
        for seed in (seeds if count < whole else seeds[:1])
        for row in every_method(draw(count, seed))
    ]
    say_columns(title, rows, by="samples")
    say_programs(rows)
    return rows


def on_board(program: Expression, side: int, steps: int, seed: int) -> dict[str, Any]:
    """Run the program and Life side by side on a random board whose edges meet."""
    started = time.perf_counter()
    board = np.random.default_rng(seed).integers(0, 2, (side, side))
    own, wrong = board, 0
    for _ in range(steps):
        board = LIFE.step(board)
        windows = windows_of(own)
        strips = [program(windows[top : top + _STRIP])[..., 0] for top in range(0, side, _STRIP)]
        own = np.concatenate(strips).astype(np.int64)
        wrong += int((own != board).sum())
    seconds = time.perf_counter() - started
    return {"side": side, "steps": steps, "seed": seed, "wrong_cells": wrong, "seconds": seconds}


# --- the tables -----------------------------------------------------------------------------------


def say_title(title: str, rows: Rows) -> None:
    task = rows[0]["task"]
    say(f"\n{task}: {title}\naim: {AIMS[task]}")


def say_rules(title: str, rows: Rows) -> None:
    """A table of many rules from all windows: a line per method."""
    say_title(title, rows)
    say(
        f"{'':<20} {'exact':>9} {'lossless':>9} {'tokens: mean, max':>18} {'seconds: all, max':>18}"
    )
    for method in METHODS:
        own = [row for row in rows if row["method"] == method]
        lengths = [row["tokens"] for row in own if row["tokens"] is not None]
        tokens = f"{np.mean(lengths):.1f}, {max(lengths)}" if lengths else "-"
        proven = sum(row["lossless"] for row in own) if method == "essence" else "-"
        seconds = [row["seconds"] for row in own]
        time_taken = f"{sum(seconds):.1f}, {max(seconds):.2f}"
        exact = f"{sum(row['exact'] for row in own)}/{len(own)}"
        say(f"{method:<20} {exact:>9} {proven:>9} {tokens:>18} {time_taken:>18}")
    ours, theirs = ([row for row in rows if row["method"] == m] for m in ("essence", "two_level"))
    pairs = [(a["tokens"], b["tokens"]) for a, b in zip(ours, theirs, strict=True)]
    shorter, longer = sum(a < b for a, b in pairs), sum(a > b for a, b in pairs)
    say(
        f"essence is shorter than two_level for {shorter} rules, longer for {longer}; two_level is"
        f" proven to be the minimum for {sum(row['minimum'] for row in theirs)}"
    )


def say_columns(title: str, rows: Rows, by: str) -> None:
    """A table of what was learned from a part: exact seeds and mean accuracy, in columns."""
    columns = list(dict.fromkeys(row[by] for row in rows))
    say_title(f"{title}: exact seeds, mean accuracy on all windows", rows)
    heads = [f"{_NAMES.get(column, column)}" for column in columns]
    say(f"{'':<20}" + "".join(f"{head:>20}" for head in heads) + f"{'s each':>9}")
    for method in METHODS:
        own = [row for row in rows if row["method"] == method]
        if not own:
            continue
        cells = ""
        for column in columns:
            some = [row for row in own if row[by] == column]
            exact = sum(row["exact"] for row in some)
            accuracy = np.mean([row["accuracy"] for row in some])
            cells += f"{f'{exact}/{len(some)}, {accuracy:.4f}':>20}"
        seconds = np.mean([row["seconds"] for row in own])
        say(f"{method:<20}{cells}{seconds:>9.2f}")


def say_programs(rows: Rows) -> None:
    """Of each rule, the shortest of the exact programs by the essence network."""
    for rule in dict.fromkeys(row["rule"] for row in rows):
        own = [row for row in rows if (row["rule"], row["method"]) == (rule, "essence")]
        exact = [row for row in own if row["exact"]]
        name = f"{_NAMES.get(rule, 'rule')}, {rule}"
        if not exact:
            say(f"{name}: no exact program")
            continue
        best = min(exact, key=lambda row: row["tokens"])
        lines = best["program"].rstrip().split('"""\n', 1)[1]
        say(f"{name}, from {best['samples']} windows, {best['tokens']} tokens:\n{lines}")


def say_board(board: Mapping[str, Any]) -> None:
    verdict = "equals" if board["wrong_cells"] == 0 else "differs from"
    say(
        f"on a board of {board['side']} x {board['side']} the program {verdict} Life for"
        f" {board['steps']} steps ({board['seconds']:.1f} s)"
    )


_NAMES = {str(rule): name for rule, name in NAMES.items()} | {"any": "elementary rules at once"}


if __name__ == "__main__":
    main()
