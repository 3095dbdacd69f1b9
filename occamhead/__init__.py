"""Classifier heads that are formulas. See :class:`OccamHead` and :func:`attach_head`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from occamhead.expression import Expression
from occamhead.heads.attach import attach_head, detach_head
from occamhead.heads.collecting import collect_features
from occamhead.heads.occam import OccamHead
from occamhead.moved import announce_moves
from occamhead.network import (
    BASES,
    BASIS_SETS,
    Basis,
    OccamNet,
    Routes,
    TSoftmaxLinear,
    get_bases,
    get_basis,
    register_basis,
)
from occamhead.version import __version__ as __version__

if TYPE_CHECKING:
    from occamhead import distill
    from occamhead.distill import lift
    from occamhead.explain import report
    from occamhead.heads.essence import EssenceHead
    from occamhead.heads.model_file import load_model, save_model
    from occamhead.rows.arrays import ArrayData
    from occamhead.search import Strategy, evolve
    from occamhead.tables import OccamClassifier, OccamRegressor
    from occamhead.training.attached import fit_model
    from occamhead.training.finetune import finetune
    from occamhead.training.fit import fit_head
    from occamhead.training.module import OccamModule
    from occamhead.training.path import fit_path
    from occamhead.vision import FeatureData

__all__ = [
    "BASES",
    "BASIS_SETS",
    "ArrayData",
    "Basis",
    "EssenceHead",
    "Expression",
    "FeatureData",
    "OccamClassifier",
    "OccamHead",
    "OccamModule",
    "OccamNet",
    "OccamRegressor",
    "Routes",
    "Strategy",
    "TSoftmaxLinear",
    "attach_head",
    "collect_features",
    "detach_head",
    "distill",
    "evolve",
    "finetune",
    "fit_head",
    "fit_model",
    "fit_path",
    "get_bases",
    "get_basis",
    "lift",
    "load_model",
    "register_basis",
    "report",
    "save_model",
]


# What loads much (Lightning, numba, scikit-learn) is loaded only by those who use it.
_LATE = {
    "ArrayData": "occamhead.rows.arrays",
    "EssenceHead": "occamhead.heads.essence",
    "FeatureData": "occamhead.vision",
    "OccamClassifier": "occamhead.tables",
    "OccamModule": "occamhead.training.module",
    "OccamRegressor": "occamhead.tables",
    "Strategy": "occamhead.search",
    "evolve": "occamhead.search",
    "finetune": "occamhead.training.finetune",
    "fit_head": "occamhead.training.fit",
    "fit_model": "occamhead.training.attached",
    "fit_path": "occamhead.training.path",
    "lift": "occamhead.distill",
    "load_model": "occamhead.heads.model_file",
    "report": "occamhead.explain",
    "save_model": "occamhead.heads.model_file",
}

announce_moves()


def __getattr__(name: str) -> Any:
    if name in _LATE:
        return getattr(import_module(_LATE[name]), name)
    if name == "distill":  # the package, which is called as its function is
        return import_module("occamhead.distill")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
