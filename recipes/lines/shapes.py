"""Full lines to learn from, and shapes to test on, drawn in squares of any side."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def lines(side: int) -> tuple[Ints, Ints]:
    """All full lines of a square, [2 * side, side * side], horizontal first, and their classes."""
    row = np.eye(side, dtype=np.int64)[:, :, None].repeat(side, axis=2)
    images = np.concatenate([row, row.transpose(0, 2, 1)])
    return images.reshape(2 * side, -1), np.repeat([0, 1], side)


# --- shapes: horizontal ones, [side, side] --------------------------------------------------------


def blank(side: int) -> Ints:
    return np.zeros((side, side), dtype=np.int64)


def dotted(rng: np.random.Generator, side: int) -> Ints:
    """Every second or third pixel of a row."""
    image, gap = blank(side), int(rng.integers(2, 4))
    image[rng.integers(side), rng.integers(gap) :: gap] = 1
    return image


def short(rng: np.random.Generator, side: int) -> Ints:
    """A piece of a row, of an eighth to a half of it."""
    image, length = blank(side), int(rng.integers(side // 8, side // 2 + 1))
    start = rng.integers(side - length + 1)
    image[rng.integers(side), start : start + length] = 1
    return image


def thick(rng: np.random.Generator, side: int) -> Ints:
    """Two neighbouring rows to a fifth of all."""
    image, height = blank(side), int(rng.integers(2, side // 5 + 1))
    top = rng.integers(side - height + 1)
    image[top : top + height] = 1
    return image


def zigzag(rng: np.random.Generator, side: int) -> Ints:
    """Up and down by one row per column, over two rows to a fourth of all."""
    climb = int(rng.integers(1, side // 4))
    phase = np.arange(side) + rng.integers(2 * climb)
    return _one_per_column(rng, np.abs(phase % (2 * climb) - climb))


def slanted(rng: np.random.Generator, side: int) -> Ints:
    """A straight line from border to border, of any slope below the diagonal."""
    rise = int(rng.integers(1, side - 1))
    height = np.round(np.linspace(0, rise, side)).astype(np.int64)
    return _one_per_column(rng, height if rng.integers(2) else height[::-1])


def _one_per_column(rng: np.random.Generator, height: Ints) -> Ints:
    side = len(height)
    image, top = blank(side), rng.integers(side - height.max())
    image[top + height, np.arange(side)] = 1
    return image


def outline(rng: np.random.Generator, side: int) -> Ints:
    """The border of a bar, at least half as long as the side and at most a fifth of it high."""
    image = blank(side)
    height, length = int(rng.integers(3, side // 5 + 1)), int(rng.integers(side // 2, side + 1))
    top, start = rng.integers(side - height + 1), rng.integers(side - length + 1)
    image[top : top + height, start : start + length] = 1
    image[top + 1 : top + height - 1, start + 1 : start + length - 1] = 0
    return image


def noisy(rng: np.random.Generator, side: int) -> Ints:
    """A full row, each pixel of the image inverted with a chance of a tenth."""
    image = blank(side)
    image[rng.integers(side)] = 1
    return image ^ (rng.random((side, side)) < 0.1)


SHAPES: Mapping[str, Callable[[np.random.Generator, int], Ints]] = {
    "dotted": dotted,
    "short": short,
    "thick": thick,
    "zigzag": zigzag,
    "slanted": slanted,
    "outline": outline,
    "noise": noisy,
}


def drawn(shape: str, side: int, count: int, seed: int) -> tuple[Ints, Ints]:
    """Images of a shape, [count, side * side], each second one turned, and their classes."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    images = [SHAPES[shape](rng, side) for _ in labels]
    turned = [image.T if label else image for image, label in zip(images, labels, strict=True)]
    return np.array(turned).reshape(count, -1), labels
