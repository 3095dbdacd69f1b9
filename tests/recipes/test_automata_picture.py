"""A board that evolves under a printed program: its frames, colours and files."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from recipes.automata import picture as board_picture
from recipes.automata.picture import GLIDER_GUN, board_of, coloured, evolve, picture_gun
from recipes.automata.rules import LIFE
from recipes.shared.printed import predict_of

SOURCE = '''def predict(x):
    """The class of x."""
    neighbours = sum(x) - x[4]
    return neighbours <= 3 and sum(x) >= 3
'''


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "life.py"
    path.write_text(SOURCE)
    return path


def brute_force(board, steps):
    """Life on a torus, cell by cell."""
    rows, columns = board.shape
    frames = [board.tolist()]
    for _ in range(steps):
        old = frames[-1]
        near = [[sum(old[(r + i) % rows][(c + j) % columns] for i in (-1, 0, 1) for j in (-1, 0, 1))
                 for c in range(columns)] for r in range(rows)]  # fmt: skip
        # Three in the window with the cell itself, or four of which it is one.
        frames.append([[int(near[r][c] == 3 or (near[r][c] == 4 and old[r][c]))
                        for c in range(columns)] for r in range(rows)])  # fmt: skip
    return np.array(frames)


def test_frames_of_the_printed_program_are_lifes(file):
    board = np.random.default_rng(0).integers(0, 2, (9, 14))
    frames = evolve(predict_of(file), board, 20)
    assert frames.shape == (21, 9, 14) and (frames == brute_force(board, 20)).all()


def test_it_is_the_file_that_runs(file):
    file.write_text(SOURCE.replace("<= 3", "<= 2"))
    board = np.random.default_rng(0).integers(0, 2, (9, 14))
    assert (evolve(predict_of(file), board, 3) != brute_force(board, 3)).any()


def test_the_gun_is_whole_again_after_thirty_steps_and_has_sent_off_a_glider(file):
    board = board_of(GLIDER_GUN, 44, 60, 2, 2)
    assert board.sum() == 36
    frames = evolve(predict_of(file), board, 60)
    assert [int(frame.sum()) for frame in frames[::30]] == [36, 41, 46]
    assert (frames[30] >= board).all() and (frames[60] >= frames[0]).all()
    glider = frames[30] - board
    assert glider.sum() == 5 and LIFE.step(glider).sum() == 5


def test_a_pattern_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="9 x 36 cells at row 2, column 30"):
        board_of(GLIDER_GUN, 44, 60, 2, 30)
    assert board_of(".O\nO.", 3, 4, 1, 2).tolist() == [[0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]]


def test_living_cells_are_blue_and_trails_fade():
    frames = np.zeros((80, 1, 2), np.int64)
    frames[0, 0, 0] = 1
    colours = coloured(frames)[:, 0]
    assert colours[0].tolist() == [[0, 63, 120], [255, 255, 255]]
    assert (colours[:, 1] == 255).all() and (colours[-1, 0] == 255).all()
    assert (np.diff(colours[1:, 0].sum(axis=-1).astype(int)) >= 0).all()
    assert len(np.unique(colours[:, 0], axis=0)) > 40


def test_pictures_are_written_beside_the_program(file, monkeypatch):
    monkeypatch.setattr(board_picture, "_GUN_STEPS", (0, 3, 6))
    strip, film = picture_gun(file, "all windows of Life")
    assert strip.name == "life.png" and film.name == "life.gif"
    with Image.open(strip) as still:
        assert still.width > 2 * still.height
    with Image.open(film) as moving:
        assert moving.n_frames == 7 and moving.size == (300, 220)
        moving.seek(6)
        shown = np.array(moving.convert("RGB"))[2::5, 2::5].astype(int)
    wanted = coloured(evolve(predict_of(file), board_of(GLIDER_GUN, 44, 60, 2, 2), 6))[6]
    assert np.abs(shown - wanted).max() < 16
