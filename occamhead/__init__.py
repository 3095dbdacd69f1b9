"""Classifier heads that are formulas. See :class:`OccamHead` and :func:`attach_head`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from occamhead.attach import attach_head, detach_head
from occamhead.bases import BASES, BASIS_SETS, Basis, get_bases, get_basis, register_basis
from occamhead.expression import Expression
from occamhead.head import OccamHead
from occamhead.network import OccamNet
from occamhead.routes import Routes
from occamhead.tsoftmax import TSoftmaxLinear

if TYPE_CHECKING:
    from occamhead.estimators import OccamClassifier, OccamRegressor
    from occamhead.module import OccamModule
    from occamhead.search import Strategy, evolve

__version__ = "0.1.0"

__all__ = [
    "BASES",
    "BASIS_SETS",
    "Basis",
    "Expression",
    "OccamClassifier",
    "OccamHead",
    "OccamModule",
    "OccamNet",
    "OccamRegressor",
    "Routes",
    "Strategy",
    "TSoftmaxLinear",
    "attach_head",
    "detach_head",
    "evolve",
    "get_bases",
    "get_basis",
    "register_basis",
]


# What loads much (Lightning, numba, scikit-learn) is loaded only by those who use it.
_LATE = {
    "OccamClassifier": "occamhead.estimators",
    "OccamModule": "occamhead.module",
    "OccamRegressor": "occamhead.estimators",
    "Strategy": "occamhead.search",
    "evolve": "occamhead.search",
}


def __getattr__(name: str) -> Any:
    if name in _LATE:
        return getattr(import_module(_LATE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
