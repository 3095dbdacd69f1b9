"""Where modules went: the import of an old path ends in an error that names the new one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

# Of version 0.1.0; below occamhead.
MOVED = {
    "artefact": "heads.model_file",
    "attach": "heads.attach",
    "bases": "network.bases",
    "calibration": "heads.calibration",
    "candidates": "network.candidates",
    "data": "rows.arrays",
    "dense": "rows.dense",
    "distill.formulas": "distill.sizes.size_formulas",
    "distill.grid_networks": "distill.sizes.grid_networks",
    "distill.grid_rules": "distill.sizes.grid_rules",
    "distill.grids": "distill.sizes.grids",
    "distill.lift": "distill.sizes.lift",
    "distill.lifted": "distill.sizes.lifted",
    "distill.lifted_json": "distill.sizes.lifted_json",
    "distill.recurrence": "distill.sizes.recurrence",
    "distill.size_rules": "distill.sizes.rules",
    "distill.size_search": "distill.sizes.proposals",
    "drift": "training.renewal",
    "essence.head": "heads.essence",
    "essence.network": "essence.circuit",
    "estimators": "tables.estimators",
    "export": "expression.formats.files",
    "expression.c_source": "expression.formats.c_source",
    "expression.drawing": "expression.formats.drawing",
    "expression.json_format": "expression.formats.json_format",
    "expression.latex": "expression.formats.latex",
    "expression.program_source": "expression.formats.program_source",
    "expression.program_tokens": "expression.formats.program_tokens",
    "expression.python_source": "expression.formats.python_source",
    "expression.source": "expression.formats.source",
    "expression.sql": "expression.formats.sql",
    "expression.symbolic": "expression.formats.sympy_form",
    "expression.text": "expression.formats.text",
    "finetuning": "training.unfreezing",
    "fitting": "training.fit",
    "head": "heads.occam",
    "initialisation": "network.initialisation",
    "kinds": "heads.kinds",
    "layout": "network.layout",
    "module": "training.module",
    "objective": "rows.objective",
    "pareto": "training.path",
    "pruning": "training.blocks",
    "reading": "heads.freshness",
    "refit": "training.numbers",
    "refitting": "training.renewal",
    "requirements": "checks",
    "routes": "network.routes",
    "screening": "rows.screening",
    "search.__main__": "commands.train",
    "search.calibration": "tables.platt",
    "search.constants": "expression.tidy",
    "search.elementary": "search.judging.elementary",
    "search.evaluator": "search.judging.evaluator",
    "search.fitting": "search.judging.constant_fitter",
    "search.function": "search.judging.function",
    "search.gram": "search.judging.gram",
    "search.heads": "training.evolution",
    "search.instructions": "search.judging.instructions",
    "search.least_squares": "search.judging.least_squares",
    "search.module": "training.evolution_module",
    "search.recurrence": "search.judging.iteration",
    "search.regularisers": "search.judging.regularisers",
    "search.reporter": "tables.reporter",
    "search.sampling": "search.judging.sampling",
    "search.scoring": "search.judging.scoring",
    "search.selection": "tables.selection",
    "search.store": "search.judging.store",
    "search.table": "tables.sorted_rows",
    "search.tabular": "tables.fit_table",
    "search.tape": "search.judging.tape",
    "search.triviality": "search.judging.triviality",
    "search.values": "search.judging.values",
    "search.wiring": "search.judging.wiring",
    "subset": "rows.best_subsets",
    "sums": "heads.sums",
    "symbolic": "heads.base",
    "tsoftmax": "network.tsoftmax",
    "vision.network": "vision.downloads",
    "writing": "heads.writing",
}


class MovedFinder(MetaPathFinder):
    """Asked by Python's import when nothing else knows a module; knows the old ones by name."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, old = name.partition(".")
        if package == "occamhead" and old in MOVED:
            raise ImportError(f"{name} is now occamhead.{MOVED[old]}", name=name)
        return None


def announce_moves() -> None:
    """Put the finder last among Python's, once."""
    if not any(isinstance(finder, MovedFinder) for finder in sys.meta_path):
        sys.meta_path.append(MovedFinder())
