"""Tables in files of comma-separated values, and the one line that says what is wrong with one."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from occamhead.checks import unknown_name
from occamhead.commands.output import visible

DELIMITERS = ",;\t"
MISSING = {"", "na", "nan", "null", "none", "n/a", "?"}
TRUTHS = {"false": 0.0, "true": 1.0, "no": 0.0, "yes": 1.0}


@dataclass(frozen=True)
class CsvTable:
    """Named columns of text, as they stand in a file.

    Args:
        file: Where they come from.
        columns: The cells of each column, [rows].
        lines: The line of the file that each row ends on.
    """

    file: Path
    columns: dict[str, list[str]]
    lines: list[int]

    def __len__(self) -> int:
        return len(self.lines)

    def column(self, name: str) -> list[str]:
        """The cells of a column, none of which is missing.

        Raises:
            ValueError: If there is no such column, or a cell is empty.
        """
        if name not in self.columns:
            raise ValueError(f"{self.file}: {unknown_name('column', name, self.columns)}")
        cells = self.columns[name]
        for line, cell in zip(self.lines, cells, strict=True):
            if cell.lower() in MISSING:
                raise ValueError(
                    f"{self.file}, line {line}: {name} is missing ({cell!r}); fill it in, or delete"
                    " the line"
                )
        return cells

    def numbers(self, names: Sequence[str]) -> NDArray[np.float64]:
        """The numbers in some columns, [rows, names]; true, yes, false and no are 1 and 0.

        Raises:
            ValueError: If there is no such column, or a cell is no finite number.
        """
        return np.array([self._numbers(name) for name in names], dtype=np.float64).T

    def _numbers(self, name: str) -> list[float]:
        values = []
        for line, cell in zip(self.lines, self.column(name), strict=True):
            try:
                value = TRUTHS[cell.lower()] if cell.lower() in TRUTHS else float(cell)
            except ValueError:
                value = math.nan
            if not math.isfinite(value):
                raise ValueError(
                    f"{self.file}, line {line}: {name} is {cell!r}, not a number; leave the column"
                    " out (--inputs names those to use), or write numbers"
                )
            values.append(value)
        return values

    def is_text(self, name: str) -> bool:
        """Whether most cells of a column are words, yes and no among them: names of classes."""
        cells = self.column(name)

        def is_word(cell: str) -> bool:
            try:
                float(cell)
            except ValueError:
                return not any(part.isdigit() for part in cell.split("-"))
            return False

        return 2 * sum(map(is_word, cells)) > len(cells)

    def others(self, target: str | None, names: Sequence[str] | None) -> list[str]:
        """The columns to use: those named, or all but the target, if there is one.

        Raises:
            ValueError: If one is unknown, named twice or the target, or there is none.
        """
        if target is not None:
            self.column(target)
        used = [name for name in self.columns if name != target] if names is None else list(names)
        for name in used:
            self.column(name)
            if used.count(name) > 1 or name == target:
                what = "the target" if name == target else "named twice"
                raise ValueError(f"--inputs: {name} is {what}; name each other column once")
        if not used:
            raise ValueError(f"{self.file}: no column but {target}; add one that it depends on")
        return used


def safe_cell(text: str) -> str:
    """A text as a cell to be written: no spreadsheet takes it for a formula, or for more cells."""
    text = visible(text)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\n")) else text


def read_csv(file: Path) -> CsvTable:
    """Read a table whose first line holds the names of the columns.

    Cells are parted by commas, semicolons or tabs, whichever the first line has most of; empty
    lines are passed over.

    Raises:
        ValueError: If the file is no such table: it says in which line and why.
        OSError: If it cannot be read.
    """
    try:
        with file.open(newline="", encoding="utf-8-sig") as text:
            first = text.readline()
            text.seek(0)
            delimiter = max(DELIMITERS, key=first.count)
            reader = csv.reader(text, delimiter=delimiter, skipinitialspace=True)
            found = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if row]
    except (UnicodeDecodeError, csv.Error) as reason:
        raise ValueError(
            f"{file}: no table of text ({reason}); save it as CSV in UTF-8"
        ) from reason
    if len(found) < 2:
        raise ValueError(
            f"{file}: wanted a line of column names and lines of values, got {len(found)} lines"
        )
    (_, names), *rows = found
    for place, name in enumerate(names, 1):
        if not name or names.count(name) > 1:
            what = f"{name!r} is there twice" if name else f"column {place} has no name"
            raise ValueError(f"{file}: {what}; each column needs a name of its own")
    for line, row in rows:
        if len(row) != len(names):
            raise ValueError(
                f"{file}, line {line}: {len(row)} values for {len(names)} columns; quote what"
                f" has {delimiter!r} in it, or mend the line"
            )
    columns = {name: [row[i] for _, row in rows] for i, name in enumerate(names)}
    return CsvTable(file, columns, [line for line, _ in rows])
