"""The suites by name, read from the package's own files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from typing import Any

from occamhead.checks import unknown_name
from occamhead.expression import Expression
from occamhead.problems.problem import Input, Problem, Unit

_FILES = ("fastsrb", "feynman", "nguyen", "keijzer", "korns", "livermore", "jin", "strogatz",
          "class", "firstprinciples")  # fmt: skip
_STUDIED = ("nguyen", "keijzer", "korns", "livermore", "jin", "strogatz")
_STUDIED_FEYNMAN = ("I.6.2", "I.8.14", "I.10.7", "I.13.12", "I.15.3x", "I.16.6", "I.18.4",
                    "I.29.16", "I.37.4", "I.44.4", "I.50.26", "II.6.11", "II.11.27", "II.35.18",
                    "III.4.32")  # fmt: skip
_FEYNMAN_ROWS = 500
_NOISY = ("nguyen1", "nguyen5", "nguyen7", "nguyen10", "nguyen11", "nguyen12", "keijzer14", "jin1",
          "jin6", "strogatz_bacres1", "strogatz_barmag1", "strogatz_lv1", "strogatz_predprey2",
          "I.6.2", "I.16.6", "III.4.32")  # fmt: skip
_NOISY_ROWS = 200
SUITES = (*_FILES, "study", "noisy")


def load(suite: str) -> list[Problem]:
    """The problems of a suite, in its order.

    Args:
        suite: ``"fastsrb"`` (119 laws in SI units, with accepted forms; III.21.20 is left out, as
            the published file does not say its range), ``"feynman"`` (117, with units; the three
            with arcsin and arccos are left out), ``"nguyen"`` (12), ``"keijzer"`` (6), ``"korns"``
            (4), ``"livermore"`` (5), ``"jin"`` (6), ``"strogatz"`` (14 right-hand sides),
            ``"class"`` (8 laws with constants of groups), ``"firstprinciples"`` (5 laws on at most
            30 rows), ``"study"`` (62: those from nguyen to strogatz, and 15 of Feynman's on 500
            rows) or ``"noisy"`` (16 of these on 200 rows, which ask for noise).

    Raises:
        ValueError: If there is no such suite.

    Example:
        >>> from occamhead.problems import load
        >>> law = load("fastsrb")[0]
        >>> print(law.target, "=", law.formula)
        F = Y*A*x/d
        >>> x, y = law.draw(512, seed=0)
        >>> x.shape
        (512, 4)
    """
    if suite == "study":
        laws = {law.name: law for law in load("feynman")}
        chosen = [replace(laws[name], rows=_FEYNMAN_ROWS) for name in _STUDIED_FEYNMAN]
        return [law for name in _STUDIED for law in load(name)] + chosen
    if suite == "noisy":
        laws = {law.name: law for law in load("study")}
        return [replace(laws[name], rows=_NOISY_ROWS) for name in _NOISY]
    if suite not in _FILES:
        raise ValueError(unknown_name("suite", suite, SUITES))
    text = (files("occamhead.problems") / "data" / f"{suite}.json").read_text(encoding="utf-8")
    content = json.loads(text)
    return [_problem(suite, entry, content) for entry in content["problems"]]


def _problem(suite: str, entry: Mapping[str, Any], content: Mapping[str, Any]) -> Problem:
    listed = [*entry["inputs"], *entry.get("constants", ())]
    units: list[Unit | None] = [tuple(unit) for unit in entry.get("units", ())]
    units = units or [None] * (len(listed) + 1)
    variables = [
        Input(name, kind, low, high, bool(signed), unit)
        for (name, kind, low, high, *signed), unit in zip(listed, units[:-1], strict=True)
    ]
    count = len(entry["inputs"])
    return Problem(
        name=entry["name"],
        suite=suite,
        formula=Expression.parse(entry["formula"], names=[v.name for v in variables]),
        inputs=tuple(variables[:count]),
        target=entry["target"],
        source=content["source"],
        licence=content["licence"],
        rows=entry.get("rows", content["rows"]),
        about=entry.get("about", ""),
        constants=tuple(variables[count:]),
        unit=units[-1],
        accepted=tuple(entry.get("accepted", ())),
        where=tuple(entry.get("where", ())),
        observed=tuple(tuple(row) for row in entry.get("data", ())),
    )
