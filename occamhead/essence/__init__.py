"""Essence neural networks: classifiers learned from few rows without gradients."""

from occamhead.essence.fitting import fit_circuit
from occamhead.essence.head import EssenceHead
from occamhead.essence.network import Circuit, EssenceNetwork, description_length

__all__ = [
    "Circuit",
    "EssenceHead",
    "EssenceNetwork",
    "description_length",
    "fit_circuit",
]
