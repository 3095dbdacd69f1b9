"""Ours and the peers, by the names of the packages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from occamhead.commands.output import say
from recipes.laws_of_nature.judge import refit
from recipes.others.regressors import Method, get_methods
from recipes.recovery_tasks.scaling import scaled

# The operators that all have, and the two roots of many laws; trees as long as the longest law.
OPERON = {"operators": "add,sub,mul,div,sin,cos,exp,logabs,sqrt,square", "max_length": 25}
_NAMES = {"pyoperon": "operon"}
METHODS = ("occamhead", "pyoperon", "gplearn", "ridge")


def present(names: Iterable[str], options: Mapping[str, Any], noise: float) -> dict[str, Method]:
    """The methods that are installed; of each other one, it is said what it needs.

    Args:
        names: Of :data:`METHODS`.
        options: Of ``OccamRegressor``, besides its budget and seed.
        noise: Without it pyoperon's numbers are fitted once more in float64.
    """
    methods: dict[str, Method] = {}
    for name in names:
        inner = _NAMES.get(name, name)
        try:
            (method,) = get_methods([inner]).values()
        except ValueError as reason:
            say(f"{name} is skipped: {reason}")
            continue
        if name == "occamhead":
            methods[name] = partial(method, **options) if options else method
            continue
        extra: dict[str, Any] = {}
        if name == "pyoperon":
            extra = {**OPERON, "refit": None if noise else refit}
        methods[name] = scaled(partial(method, **extra))
    return methods
