"""The tasks of `recipes.cellular_automata`: what is learned from what, and the rows and tables."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from occamhead.expression import Expression
from recipes.automata.methods import every_method
from recipes.automata.rules import LIFE, WINDOW, random_rules, windows_of
from recipes.automata.samples import (
    RULE_AND_CELLS,
    Sample,
    elementary,
    of_any_rule,
    with_noise,
    without_repetition,
)
from recipes.automata.tables import say_columns, say_programs, say_rules

Rows = list[dict[str, Any]]
_STRIP = 64  # rows of a board that are computed at once


def elementary_rules(args: argparse.Namespace) -> Rows:
    rows = [row for rule in args.rules for row in every_method(elementary(rule))]
    say_rules(f"{len(args.rules)} rules, from all 8 windows", rows)
    return rows


def life(args: argparse.Namespace) -> Rows:
    title = "windows without repetition"
    draw = partial(without_repetition, "life", LIFE)
    return _of_parts(title, args.samples, WINDOW.num_rows, args.seeds, draw)


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
    flipped = f"{100 * args.noise:g} % of labels flipped"
    say_columns(f"Life, {flipped}, windows drawn with repetition", rows, by="samples")
    say_programs(rows)
    return rows


def any_rule(args: argparse.Namespace) -> Rows:
    title = "rules and windows without repetition"
    return _of_parts(title, args.any_samples, RULE_AND_CELLS.num_rows, args.seeds, of_any_rule)


def _of_parts(
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


TASKS: Mapping[str, Callable[[argparse.Namespace], Rows]] = {
    "elementary": elementary_rules,
    "life": life,
    "totalistic": totalistic_rules,
    "named": named_rules,
    "noise": noisy_life,
    "any": any_rule,
}


def on_board(program: Expression, side: int, steps: int, seed: int) -> dict[str, Any]:
    """Run the program and Life side by side on a random board whose edges meet."""
    started = time.perf_counter()
    board: NDArray[np.int64] = np.random.default_rng(seed).integers(0, 2, (side, side))
    own, wrong = board, 0
    for _ in range(steps):
        board = LIFE.step(board)
        windows = windows_of(own)
        strips = [program(windows[top : top + _STRIP])[..., 0] for top in range(0, side, _STRIP)]
        own = np.concatenate(strips).astype(np.int64)
        wrong += int((own != board).sum())
    seconds = time.perf_counter() - started
    return {"side": side, "steps": steps, "seed": seed, "wrong_cells": wrong, "seconds": seconds}
