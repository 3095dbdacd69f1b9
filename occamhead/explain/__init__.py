"""What a formula's features mean: what excites them, what they are worth, and a page of it all."""

from occamhead.explain.activations import ActivationMaps, find_maps
from occamhead.explain.example import Example, Flip, Score, Spread, Term, explain_example
from occamhead.explain.features import Feature, explain_features
from occamhead.explain.places import Place
from occamhead.explain.report import report
from occamhead.explain.suspects import Suspect, find_suspects
from occamhead.expression.formats.mathml import mathml_lines

__all__ = [
    "ActivationMaps",
    "Example",
    "Feature",
    "Flip",
    "Place",
    "Score",
    "Spread",
    "Suspect",
    "Term",
    "explain_example",
    "explain_features",
    "find_maps",
    "find_suspects",
    "mathml_lines",
    "report",
]
