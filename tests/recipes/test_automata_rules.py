"""Rules in the manner of Life: their notation, windows and boards."""

from __future__ import annotations

import numpy as np
import pytest

from recipes.automata.rules import LIFE, NAMES, WINDOW, LifeRule, random_rules, windows_of

BOOKS = {  # as the rules are described in words
    "Life": lambda alive, n: n == 3 or (alive and n == 2),
    "HighLife": lambda alive, n: n == 3 or (alive and n == 2) or (not alive and n == 6),
    "Day & Night": lambda alive, n: n in (3, 6, 7, 8) or (alive and n == 4),
    "Maze": lambda alive, n: 1 <= n <= 5 if alive else n == 3,
    "Seeds": lambda alive, n: not alive and n == 2,
    "Life without Death": lambda alive, n: alive or n == 3,
}


def next_board(rule: LifeRule, board: list[list[int]]) -> list[list[int]]:
    """A step on a torus, cell by cell."""
    rows, columns = len(board), len(board[0])
    found = []
    for r in range(rows):
        line = []
        for c in range(columns):
            near = [board[(r + i) % rows][(c + j) % columns]
                    for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]  # fmt: skip
            line.append(int(sum(near) in (rule.survival if board[r][c] else rule.birth)))
        found.append(line)
    return found


@pytest.mark.parametrize(("rule", "name"), NAMES.items(), ids=list(NAMES.values()))
def test_named_rules_do_what_their_names_promise(rule, name):
    windows = WINDOW.rows()
    assert len(windows) == len(np.unique(windows, axis=0)) == 512
    for window, label in zip(windows.tolist(), rule.of_windows(windows).tolist(), strict=True):
        around = window[:4] + window[5:]
        assert label == BOOKS[name](window[4], sum(around))
    assert LifeRule.parse(str(rule)) == rule


def test_notation():
    assert LifeRule.parse("B3/S23") == LifeRule(frozenset({3}), frozenset({2, 3})) == LIFE
    assert LifeRule.parse("B63/S32") == LifeRule.parse("B36/S23")
    assert str(LifeRule.parse("B/S")) == "B/S" and not LifeRule.parse("B/S").birth
    # Day and night: the rule is the same with dead and alive exchanged.
    windows = WINDOW.rows()
    day_and_night = LifeRule.parse("B3678/S34678")
    assert (day_and_night.of_windows(1 - windows) == 1 - day_and_night.of_windows(windows)).all()


@pytest.mark.parametrize("text", ["", "3/23", "b3/s23", "B3S23", "B9/S23", "B3/S2 3", "B3/S23\n"])
def test_what_is_no_notation_is_refused(text):
    with pytest.raises(ValueError, match="such as B3/S23; got"):
        LifeRule.parse(text)


def test_random_rules_differ_and_come_from_the_seed():
    rules = random_rules(2000, seed=0)
    assert len(set(rules)) == 2000 and random_rules(2000, seed=0) == rules
    assert random_rules(5, seed=1) != rules[:5]
    # Each of 18 numbers is in a rule as often as not: 1000 +- 22.
    for number in range(9):
        assert 880 < sum(number in rule.birth for rule in rules) < 1120
        assert 880 < sum(number in rule.survival for rule in rules) < 1120
    with pytest.raises(ValueError, match="262144 rules"):
        random_rules(2**18 + 1, seed=0)


@pytest.mark.parametrize("rule", [*NAMES, *random_rules(5, seed=2)], ids=str)
def test_a_step_is_that_of_every_cell(rule):
    board = np.random.default_rng(0).integers(0, 2, (7, 10))
    assert rule.step(board).tolist() == next_board(rule, board.tolist())
    assert (rule.of_windows(windows_of(board)) == rule.step(board)).all()


def test_windows_lie_as_on_the_board():
    board = np.arange(20).reshape(4, 5)  # numbers, so that each cell shows where it came from
    assert windows_of(board)[1, 1].reshape(3, 3).tolist() == board[:3, :3].tolist()
    assert windows_of(board)[0, 0].tolist() == [19, 15, 16, 4, 0, 1, 9, 5, 6]


def test_a_blinker_turns():
    board = np.zeros((5, 5), np.int64)
    board[1:4, 2] = 1
    assert (LIFE.step(board) == board.T).all() and (LIFE.step(board.T) == board).all()
