"""Docstring examples run as they stand, with their own imports; one that cannot says why."""

import doctest
import pkgutil
from importlib import import_module

import pytest

import occamhead

MODULES = [
    module.name
    for module in pkgutil.walk_packages(occamhead.__path__, "occamhead.")
    if not module.name.endswith("__main__")  # runs a command when it is imported
]


def examples_of(module: str) -> list[doctest.DocTest]:
    # Without the module's own names: a reader who pastes an example has not got them.
    found = doctest.DocTestFinder(exclude_empty=True).find(import_module(module), globs={})
    return [test for test in found if test.examples]


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_examples_can_be_pasted(module, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for test in examples_of(module):
        skipped = any(doctest.SKIP in example.options for example in test.examples)
        assert not skipped or ">>> # Skipped: " in test.docstring, test.name
        assert not doctest.DocTestRunner().run(test).failed, capsys.readouterr().out


def test_examples_are_found():
    assert sum(map(len, map(examples_of, MODULES))) >= 17
