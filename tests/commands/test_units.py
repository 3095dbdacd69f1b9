"""Units of columns."""

from __future__ import annotations

import pytest

from occamhead.commands.units import read_units


@pytest.mark.parametrize(
    "text, said",
    [
        ("[1, 2]", "wanted a line `column: unit`"),
        ("v: [", "no YAML"),
        ("w: m", "unknown column 'w'; known: v"),
        ("v: furlong", "v: 'furlong' is no unit"),
    ],
)
def test_files_that_are_no_units_are_refused(text, said, tmp_path):
    (tmp_path / "units.yaml").write_text(text)
    with pytest.raises(ValueError) as error:
        read_units(tmp_path / "units.yaml", ["v"])
    assert said in str(error.value)


def test_units_of_some_columns(tmp_path):
    (tmp_path / "units.yaml").write_text("v: m/s\nn: 1\n")
    assert read_units(tmp_path / "units.yaml", ["v", "n", "w"]) == {"v": "m/s", "n": "1"}
