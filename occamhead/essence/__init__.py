"""Essence neural networks: classifiers learned from few rows without gradients."""

from typing import Any

from occamhead.essence.choice import Choice, choose_real_options
from occamhead.essence.circuit import Circuit, EssenceNetwork, description_length
from occamhead.essence.fitting import fit_circuit
from occamhead.essence.formula import class_scores
from occamhead.essence.noisy import NoisyFit, fit_noisy_circuit
from occamhead.essence.real import fit_real_circuit
from occamhead.essence.relevance import relevant_inputs
from occamhead.essence.searched import fit_occam_circuit

__all__ = [
    "Choice",
    "Circuit",
    "EssenceNetwork",
    "NoisyFit",
    "choose_real_options",
    "class_scores",
    "description_length",
    "fit_circuit",
    "fit_noisy_circuit",
    "fit_occam_circuit",
    "fit_real_circuit",
    "relevant_inputs",
]


def __getattr__(name: str) -> Any:
    if name == "EssenceHead":
        raise ImportError("EssenceHead is a head: from occamhead import EssenceHead", name=name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
