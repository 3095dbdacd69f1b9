"""A board that evolves under a printed program, as a strip of pictures and as a moving one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recipes.automata.rules import windows_of
from recipes.shared.printed import predict_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Ints = NDArray[np.int64]
# Gosper's gun of 1970, which sends off a glider every 30 generations (O lives).
GLIDER_GUN = """
........................O...........
......................O.O...........
............OO......OO............OO
...........O...O....OO............OO
OO........O.....O...OO..............
OO........O...O.OO....O.O...........
..........O.....O.......O...........
...........O...O....................
............OO......................
"""
# The first glider reaches the lower edge, and would then come back to the gun.
_GUN_BOARD, _GUN_STEPS = (44, 60), (0, 45, 90, 135)
# Blue and orange of Okabe & Ito, which the colour-blind tell apart; the trail also differs in
# lightness. A living cell, then those that died one generation ago, two, and so on.
_ALIVE, _TRAIL, _NEVER = (0, 63, 120), (230, 159, 0), (255, 255, 255)
_TRAIL_LENGTH = 60  # generations after which nothing is left of a dead cell
_CELL_PIXELS, _FRAME_MILLISECONDS = 5, 60  # of the moving picture


def picture_gun(file: Path, source_of_rule: str) -> list[Path]:
    """Let a printed program run a glider gun; writes ``.png`` and ``.gif`` beside its file.

    Args:
        file: The program; its function is called for every cell of every generation.
        source_of_rule: What it was learned from, for the title.

    Raises:
        ImportError: If matplotlib is missing.
    """
    frames = evolve(predict_of(file), board_of(GLIDER_GUN, *_GUN_BOARD, 2, 2), _GUN_STEPS[-1])
    body = file.read_text().split('"""\n', 1)[1].splitlines()
    code = ";  ".join(line.strip() for line in body)
    figure = strip(
        frames, _GUN_STEPS, f"Glider gun run by a program learned from {source_of_rule}:   {code}"
    )
    paths = [file.with_suffix(suffix) for suffix in (".png", ".gif")]
    figure.savefig(paths[0])
    write_gif(frames, paths[1])
    return paths


def board_of(pattern: str, rows: int, columns: int, top: int, left: int) -> Ints:
    """A board, [rows, columns] of 0 and 1, with a pattern of ``O`` and ``.`` on it.

    Raises:
        ValueError: If the pattern reaches beyond the board.
    """
    lines = pattern.split()
    height, width = len(lines), max(map(len, lines))
    if min(top, left) < 0 or top + height > rows or left + width > columns:
        raise ValueError(
            f"a pattern of {height} x {width} cells at row {top}, column {left} does not fit on a"
            f" board of {rows} x {columns}"
        )
    board = np.zeros((rows, columns), np.int64)
    for row, line in enumerate(lines, start=top):
        board[row, left : left + len(line)] = [cell == "O" for cell in line]
    return board


def evolve(predict: Callable[[list[int]], Any], board: Ints, steps: int) -> Ints:
    """The board and its next states, [steps + 1, rows, columns]; opposite edges meet.

    Args:
        predict: A program's function; it is called for every cell of every generation.
        board: The first, [rows, columns] of 0 and 1.
        steps: How often the board is replaced.
    """
    frames = [board]
    for _ in range(steps):
        windows = windows_of(frames[-1]).reshape(board.size, -1).tolist()
        states = [int(predict(window)) for window in windows]
        frames.append(np.array(states, dtype=np.int64).reshape(board.shape))
    return np.stack(frames)


def coloured(frames: Ints) -> NDArray[np.uint8]:
    """Colours of the frames, [frames, rows, columns, 3]; where a cell died, a trail fades."""
    dead_for = np.full(frames.shape[1:], _TRAIL_LENGTH)
    ages = []
    for frame in frames:
        dead_for = np.where(frame == 1, 0, np.minimum(dead_for + 1, _TRAIL_LENGTH))
        ages.append(dead_for)
    fading = np.linspace(0.25, 1.0, _TRAIL_LENGTH)[:, None]
    trail = (1 - fading) * np.array(_TRAIL) + fading * np.array(_NEVER)
    palette = np.vstack([_ALIVE, trail]).round().astype(np.uint8)
    return np.asarray(palette[np.stack(ages)])


def strip(frames: Ints, generations: Sequence[int], title: str) -> Figure:
    """Some of the frames side by side, each with the number of its generation.

    Raises:
        ImportError: If matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "the picture needs matplotlib: pip install 'occamhead[recipes]'"
        ) from error
    rows, columns = frames.shape[1:]
    width = 3.0
    figure = Figure(
        figsize=(width * len(generations), width * rows / columns + 0.75),
        layout="constrained",
        dpi=120,
    )
    pictures = coloured(frames)
    for place, generation in enumerate(generations, start=1):
        axes = figure.add_subplot(1, len(generations), place)
        axes.imshow(pictures[generation], interpolation="nearest")
        axes.set_title(f"generation {generation}", fontsize=10)
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_color("0.7")
    figure.suptitle(title, fontsize=11)
    figure.supxlabel(
        f"blue: alive; orange: dead for less than {_TRAIL_LENGTH} generations, paler with time",
        fontsize=9,
        color="0.35",
    )
    return figure


def write_gif(frames: Ints, path: Path) -> None:
    """The frames as a moving picture that starts over.

    Raises:
        ImportError: If Pillow, which comes with matplotlib, is missing.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("the picture needs Pillow: pip install 'occamhead[recipes]'") from error
    large = coloured(frames).repeat(_CELL_PIXELS, axis=1).repeat(_CELL_PIXELS, axis=2)
    first, *others = (Image.fromarray(picture).quantize(128) for picture in large)
    first.save(path, save_all=True, append_images=others, duration=_FRAME_MILLISECONDS, loop=0)
