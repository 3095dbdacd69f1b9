"""The layout that `recipes` promises: experiments on top, in at most 80 lines each."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import recipes

FOLDER = Path(recipes.__file__).parent
TOP = sorted(path for path in FOLDER.glob("*.py") if path.name != "__init__.py")
PARTS = sorted(path for path in FOLDER.glob("*/*.py"))


def imported(path: Path) -> set[str]:
    """The modules of recipes that a file names, at whatever place."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name for name in names if name.startswith("recipes.")}


@pytest.mark.parametrize("path", TOP, ids=lambda path: path.stem)
def test_a_recipe_is_an_experiment_of_at_most_80_lines(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 80
    assert "main" in {node.name for node in ast.parse(text).body if hasattr(node, "name")}
    assert text.endswith('\n\nif __name__ == "__main__":\n    main()\n')
    assert not any(name == f"recipes.{other.stem}" for name in imported(path) for other in TOP)


@pytest.mark.parametrize("path", TOP, ids=lambda path: path.stem)
def test_a_recipe_says_its_help(path, capsys):
    with pytest.raises(SystemExit) as ended:
        import_module(f"recipes.{path.stem}").main(["--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: python -m recipes.{path.stem} ")


# What a recipe's flags offer without loading it, and where it is.
OFFERED = {
    "recipes.arithmetic": ("TASKS", "recipes.lists.tasks"),
    "recipes.automata.flags": ("TASKS", "recipes.automata.tasks"),
    "recipes.features.essence_flags": ("SHAPES", "recipes.features.parts"),
    "recipes.features.comparison_flags": ("METHODS", "recipes.features.comparison"),
    "recipes.nec_tasks.flags": ("METHODS", "recipes.nec_tasks.methods"),
}


@pytest.mark.parametrize("flags", OFFERED)
def test_flags_offer_what_there_is(flags):
    name, home = OFFERED[flags]
    assert getattr(import_module(flags), name) == tuple(getattr(import_module(home), name))


def test_recovery_offers_the_suites_and_peers_that_there_are():
    flags = import_module("recipes.recovery_tasks.flags")
    assert flags.SUITES == import_module("occamhead.problems").SUITES
    assert tuple(import_module("recipes.others.own_environment").PEERS) == flags.PEERS


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(path.stem for path in TOP))
def test_help_loads_nothing_heavy(name):
    code = f"import sys\nfrom recipes.{name} import main\ntry:\n    main(['--help'])\nfinally:\n"
    code += "    print(*{name.split('.')[0] for name in sys.modules}, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout
    heavy = {"torch", "numpy", "numba", "sklearn", "pytorch_lightning", "sympy", "scipy", "PIL"}
    assert not heavy & set(done.stderr.split())


@pytest.mark.parametrize("path", PARTS, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_what_recipes_are_made_of(path):
    """No part calls an experiment, and shared parts know no subject."""
    assert len(path.read_text().splitlines()) <= 400
    names = imported(path)
    assert not any(name == f"recipes.{top.stem}" for name in names for top in TOP)
    if path.parent.name == "shared":
        assert all(name.startswith("recipes.shared") for name in names)
    if path.parent.name == "others":
        assert all(name.startswith(("recipes.others", "recipes.shared")) for name in names)


def test_the_folders_are_those_that_the_docstring_names():
    folders = {path.parent.name for path in PARTS}
    assert {name for name in folders if f"``{name}/``" in (recipes.__doc__ or "")} == folders
