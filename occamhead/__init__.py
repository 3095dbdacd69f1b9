"""Classifier heads that are formulas. See :class:`OccamHead` and :func:`attach_head`.

Each name is loaded when it is first asked for, so that the commands say their help at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from occamhead.moved import announce_moves
from occamhead.version import __version__ as __version__

if TYPE_CHECKING:
    from occamhead import distill
    from occamhead.distill import lift
    from occamhead.explain import report
    from occamhead.expression import Expression
    from occamhead.heads.attach import attach_head, detach_head
    from occamhead.heads.collecting import collect_features
    from occamhead.heads.essence import EssenceHead
    from occamhead.heads.model_file import load_model, save_model
    from occamhead.heads.nec import nec_of
    from occamhead.heads.occam import OccamHead
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
    "nec_of",
    "register_basis",
    "report",
    "save_model",
]


# Where the names lie, as above.
_HOMES = {
    "occamhead.distill": ("lift",),
    "occamhead.explain": ("report",),
    "occamhead.expression": ("Expression",),
    "occamhead.heads.attach": ("attach_head", "detach_head"),
    "occamhead.heads.collecting": ("collect_features",),
    "occamhead.heads.essence": ("EssenceHead",),
    "occamhead.heads.model_file": ("load_model", "save_model"),
    "occamhead.heads.nec": ("nec_of",),
    "occamhead.heads.occam": ("OccamHead",),
    "occamhead.network": (
        "BASES",
        "BASIS_SETS",
        "Basis",
        "OccamNet",
        "Routes",
        "TSoftmaxLinear",
        "get_bases",
        "get_basis",
        "register_basis",
    ),
    "occamhead.rows.arrays": ("ArrayData",),
    "occamhead.search": ("Strategy", "evolve"),
    "occamhead.tables": ("OccamClassifier", "OccamRegressor"),
    "occamhead.training.attached": ("fit_model",),
    "occamhead.training.finetune": ("finetune",),
    "occamhead.training.fit": ("fit_head",),
    "occamhead.training.module": ("OccamModule",),
    "occamhead.training.path": ("fit_path",),
    "occamhead.vision": ("FeatureData",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
# Packages that are found as attributes without an import of their own.
_PACKAGES = ("checks", "distill", "expression", "heads", "network", "problems", "rows")

announce_moves()


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        return getattr(import_module(_HOME_OF[name]), name)
    if name in _PACKAGES:
        return import_module(f"occamhead.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_PACKAGES})
