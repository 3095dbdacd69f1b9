"""Laws to find again: published problems as data, with ranges, units and seeded rows."""

from occamhead.problems.problem import Input, Problem
from occamhead.problems.suites import SUITES, load

__all__ = ["SUITES", "Input", "Problem", "load"]
