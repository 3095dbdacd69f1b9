"""Search for formulas: the evolutionary strategy of OccamNet."""

from occamhead.search.evolution import Evolution, Progress, evolve
from occamhead.search.regularisers import Regularisation
from occamhead.search.result import Found, Result
from occamhead.search.strategy import Strategy
from occamhead.search.wiring import to_routes

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
