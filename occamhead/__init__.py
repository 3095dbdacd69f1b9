"""Classifier heads that are formulas. See :class:`OccamHead` and :func:`attach_head`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from occamhead.attach import attach_head, detach_head
from occamhead.bases import BASES, BASIS_SETS, Basis, get_bases, get_basis, register_basis
from occamhead.expression import Expression
from occamhead.head import OccamHead
from occamhead.network import OccamNet
from occamhead.routes import Routes

if TYPE_CHECKING:
    from occamhead.module import OccamModule

__version__ = "0.1.0"

__all__ = [
    "BASES",
    "BASIS_SETS",
    "Basis",
    "Expression",
    "OccamHead",
    "OccamModule",
    "OccamNet",
    "Routes",
    "attach_head",
    "detach_head",
    "get_bases",
    "get_basis",
    "register_basis",
]


def __getattr__(name: str) -> Any:
    # Lightning, and what it imports in turn, is loaded only by those who train with it.
    if name == "OccamModule":
        from occamhead.module import OccamModule

        return OccamModule
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
