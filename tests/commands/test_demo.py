"""``occamhead demo``: a page, without a network and without data."""

from __future__ import annotations

import json

import pytest

from occamhead.commands.entry import main
from occamhead.commands.results import FILES, PAGE


@pytest.mark.usefixtures("offline", "one_thread")
def test_the_demo_ends_in_a_page(tmp_path, capsys):
    assert main(["demo", "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "8 if " in said and ", otherwise 3" in said and "row 6, column 3" in said
    assert {file.name for file in (tmp_path / "out").iterdir()} == {*FILES, PAGE}
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["features_used"] <= 8 and results["rule_accuracy"] > 0.95
