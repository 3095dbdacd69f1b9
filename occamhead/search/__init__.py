"""Search for formulas: the evolutionary strategy of OccamNet."""

from occamhead.search.evolution import Evolution, Progress, evolve
from occamhead.search.judging.regularisers import Regularisation
from occamhead.search.logits import to_routes
from occamhead.search.result import Found, Result
from occamhead.search.strategy import Strategy

__all__ = [
    "Evolution",
    "Found",
    "Progress",
    "Regularisation",
    "Result",
    "Strategy",
    "evolve",
    "to_routes",
]
