"""Ours and the peers, by the names of the packages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from occamhead.commands.output import say
from recipes.laws_of_nature.judge import refit
from recipes.others.own_environment import PEERS, peer
from recipes.others.regressors import Method, get_methods
from recipes.recovery_tasks.scaling import scaled

# The operators that all have, and the two roots of many laws; trees as long as the longest law.
OPERON = {"operators": "add,sub,mul,div,sin,cos,exp,logabs,sqrt,square", "max_length": 25}
_NAMES = {"pyoperon": "operon"}


def present(
    names: Iterable[str],
    options: Mapping[str, Any],
    noise: float,
    pythons: Mapping[str, Path | None],
) -> dict[str, Method]:
    """The methods that are installed; of each other one, it is said what it needs.

    Args:
        names: Of :data:`recipes.recovery_tasks.flags.METHODS`.
        options: Of ``OccamRegressor``, besides its budget and seed.
        noise: Without it pyoperon's numbers are fitted once more in float64.
        pythons: Interpreter of each peer that lives in an environment of its own.
    """
    methods: dict[str, Method] = {}
    for name in names:
        try:
            method = _method(name, pythons.get(name))
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


def _method(name: str, python: Path | None) -> Method:
    if name not in PEERS:
        (method,) = get_methods([_NAMES.get(name, name)]).values()
        return method
    if python is None:
        raise ValueError(f"it needs --{name}-python, the interpreter of an environment with it")
    return peer(name, python)
