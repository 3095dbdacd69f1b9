"""Units of columns, as a file of YAML gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from occamhead.checks import unknown_name
from occamhead.expression.units import Unit


def read_units(file: Path, columns: Sequence[str]) -> dict[str, str]:
    """The unit of each column that the file names.

    Raises:
        ValueError: If the file is no map from columns to units, or a unit does not parse.
        OSError: If it cannot be read.
    """
    import yaml

    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as reason:
        raise ValueError(f"{file}: no YAML ({reason})") from reason
    if not isinstance(found, Mapping):
        raise ValueError(f"{file}: wanted a line `column: unit` for each column, got {found!r:.60}")
    units = {}
    for column, unit in found.items():
        if column not in columns:
            raise ValueError(f"{file}: {unknown_name('column', str(column), columns)}")
        try:
            Unit.parse(str(unit))
        except ValueError as reason:
            raise ValueError(f"{file}: {column}: {reason}") from reason
        units[column] = str(unit).strip()
    return units
