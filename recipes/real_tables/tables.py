"""The fifteen tables: their names, files and splits."""

from __future__ import annotations

import gzip
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recipes.shared.rows import Part

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
