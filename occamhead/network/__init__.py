"""OccamNet: a network of T-softmax layers that is a distribution over formulas."""

from occamhead.network.bases import BASES, Basis, get_bases, get_basis, register_basis
from occamhead.network.basis_sets import BASIS_SETS
from occamhead.network.occamnet import OccamNet
from occamhead.network.routes import Routes
from occamhead.network.tsoftmax import TSoftmaxLinear

__all__ = [
    "BASES",
    "BASIS_SETS",
    "Basis",
    "OccamNet",
    "Routes",
    "TSoftmaxLinear",
    "get_bases",
    "get_basis",
    "register_basis",
]
