"""Units of columns, as a file of YAML gives them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from occamhead.checks import unknown_name

PREFIXES = ("", "y", "z", "a", "f", "p", "n", "u", "µ", "μ", "m", "c", "d", "da", "h", "k", "M",
            "G", "T", "P", "E", "Z", "Y")  # fmt: skip
PREFIXED = ("m", "g", "s", "A", "K", "mol", "cd", "rad", "sr", "Hz", "N", "Pa", "J", "W", "C", "V",
            "F", "ohm", "Ω", "S", "Wb", "T", "H", "lm", "lx", "Bq", "Gy", "Sv", "kat", "eV", "L",
            "l", "bar", "t", "pc")  # fmt: skip
BARE = ("1", "%", "min", "h", "d", "day", "yr", "year", "deg", "°", "°C", "°F", "degC", "degF",
        "atm", "u", "Da", "ha", "au", "ly", "cal", "kcal", "in", "ft", "mi", "lb",
        "mmHg")  # fmt: skip
KNOWN = {f"{prefix}{symbol}" for prefix in PREFIXES for symbol in PREFIXED} | {*BARE}
# A symbol and, if not 1, its exponent.
_PART = re.compile(r"([^\s*/·^()\d+-]+|1)(?:(?:\^|\*\*)?\(?([+-]?\d+(?:/\d+)?)\)?)?")


def check_unit(text: str) -> str:
    """The unit as it was given, such as ``kg*m/s^2``.

    Raises:
        ValueError: If it does not parse, or names what is no unit.
    """
    for part in re.split(r"(?<!\*)\*(?!\*)|/(?!\d)|·|\s+", text.strip()):
        found = _PART.fullmatch(part)
        if found is None or found[1] not in KNOWN:
            raise ValueError(
                f"{text!r} is no unit: {part!r} is not known; write SI units such as kg*m/s^2, or 1"
            )
    return text.strip()


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
            units[column] = check_unit(str(unit))
        except ValueError as reason:
            raise ValueError(f"{file}: {column}: {reason}") from reason
    return units
