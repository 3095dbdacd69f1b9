"""Essence neural networks: classifiers learned from few rows without gradients."""

from occamhead.essence.choice import Choice, choose_real_options
from occamhead.essence.fitting import fit_circuit
from occamhead.essence.formula import class_scores
from occamhead.essence.head import EssenceHead
from occamhead.essence.network import Circuit, EssenceNetwork, description_length
from occamhead.essence.real import fit_real_circuit
from occamhead.essence.relevance import relevant_inputs
from occamhead.essence.searched import fit_occam_circuit

__all__ = [
    "Choice",
    "Circuit",
    "EssenceHead",
    "EssenceNetwork",
    "choose_real_options",
    "class_scores",
    "description_length",
    "fit_circuit",
    "fit_occam_circuit",
    "fit_real_circuit",
    "relevant_inputs",
]
