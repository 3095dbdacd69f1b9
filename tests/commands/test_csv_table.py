"""Tables in files: what is read, and what is said of files that are none."""

from __future__ import annotations

import numpy as np
import pytest

from occamhead.commands.csv_table import read_csv


@pytest.fixture
def table(tmp_path):
    def write(text: str, name: str = "t.csv"):
        file = tmp_path / name
        file.write_bytes(text.encode())
        return file

    return write


@pytest.mark.parametrize(
    "text",
    [
        "a,b c\n1,2\n3,4\n",
        "a;b c\r\n1;2\r\n\r\n3;4",
        "a\tb c\n1\t2\n3\t4",
        '\ufeffa, "b c"\n1, 2\n3, 4\n',
    ],
)
def test_what_parts_the_cells_is_found(table, text):
    found = read_csv(table(text))
    assert list(found.columns) == ["a", "b c"]
    np.testing.assert_array_equal(found.numbers(["b c", "a"]), [[2, 1], [4, 3]])


def test_truth_values_are_numbers_and_classes_are_text(table):
    found = read_csv(table("a,b\ntrue,x\nNo,y\n"))
    assert found.numbers(["a"])[:, 0].tolist() == [1, 0]
    assert found.column("b") == ["x", "y"]
    assert found.others("b", None) == found.others("b", ["a"]) == ["a"]


@pytest.mark.parametrize(
    "text, said",
    [
        ("", "wanted a line of column names and lines of values, got 0 lines"),
        ("a,b\n", "wanted a line of column names and lines of values, got 1 lines"),
        ("a,a\n1,2\n", "'a' is there twice; each column needs a name of its own"),
        ("a,\n1,2\n", "column 2 has no name"),
        ("a,b\n1,2\n1,2,3\n", "line 3: 3 values for 2 columns"),
        ("a,b\n1,\udcff\n", "no table of text"),
    ],
)
def test_files_that_are_no_tables_are_refused(table, text, said, tmp_path):
    file = tmp_path / "t.csv"
    file.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ValueError) as error:
        read_csv(file)
    assert str(file) in str(error.value) and said in str(error.value)


@pytest.mark.parametrize(
    "cell, said",
    [
        ("tall", "line 3: a is 'tall', not a number; leave the column out (--inputs"),
        ("2020-01-31", "line 3: a is '2020-01-31', not a number"),
        ("inf", "line 3: a is 'inf', not a number"),
        ("", "line 3: a is missing (''); fill it in, or delete the line"),
        ("NaN", "line 3: a is missing ('NaN')"),
        ("?", "line 3: a is missing ('?')"),
    ],
)
def test_cells_that_are_no_numbers_are_named(table, cell, said):
    found = read_csv(table(f"a,b\n1,2\n{cell},3\n"))
    with pytest.raises(ValueError) as error:
        found.numbers(["a"])
    assert said in str(error.value)


def test_columns_that_cannot_be_used_are_named(table):
    found = read_csv(table("mass,speed\n1,2\n"))
    with pytest.raises(ValueError, match="unknown column 'sped'; did you mean speed"):
        found.column("sped")
    with pytest.raises(ValueError, match="--inputs: mass is the target"):
        found.others("mass", ["mass"])
    with pytest.raises(ValueError, match="--inputs: speed is named twice"):
        found.others("mass", ["speed", "speed"])
    with pytest.raises(ValueError, match="no column but mass"):
        read_csv(table("mass\n1\n")).others("mass", None)
