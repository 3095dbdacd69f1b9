"""Peers that do not live beside us: each in an environment of its own, run as a process.

HROCH needs an older scikit-learn, eggp brings the runtime of another language. Their seconds are
CPU seconds of their process after imports. Both fit on the training rows; of what they show,
the formula of lowest validation error is kept, as of the other peers.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from occamhead import Expression
from recipes.others.regressors import Fitted, Method, count_nodes, mse
from recipes.shared.rows import Part

PEERS = {"hroch": "HROCH", "eggp": "eggp"}
_PROGRAM = Path(__file__).with_name("own_environment_run.py")
_PATIENCE = 60  # seconds on the wall for each CPU second asked for: machines are shared


def peer(name: str, python: Path) -> Method:
    """The peer as a method.

    Args:
        name: Of :data:`PEERS`.
        python: Interpreter of an environment that has it.

    Raises:
        ValueError: If the interpreter cannot import it.
    """
    asked = [str(python), "-c", f"import {PEERS[name]}"]
    try:
        subprocess.run(asked, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as reason:
        raise ValueError(f"{python} cannot import {PEERS[name]}: {reason}") from reason
    return partial(_fit, name, python)


def _fit(
    name: str, python: Path, train: Part, validation: Part, seconds: float, seed: int
) -> Fitted:
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.npz"
        np.savez(rows, x=train[0], y=train[1], vx=validation[0], vy=validation[1])
        command = [str(python), str(_PROGRAM), name, str(rows), str(seconds), str(seed)]
        limit = 120 + _PATIENCE * seconds
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, cwd=folder)
    if done.returncode:
        raise RuntimeError(f"{name} failed: {done.stderr.strip()[-300:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    width = train[0].shape[1]
    formulas = [Expression.parse(in_our_words(f), num_inputs=width) for f in found["formulas"]]
    if not formulas:
        raise RuntimeError(f"{name} found no formula in {seconds} seconds")
    formula = min(formulas, key=lambda one: mse(one(validation[0])[:, 0], validation[1]))
    nodes = count_nodes(formula)
    return Fitted(lambda x: formula(x)[:, 0], str(formula), nodes, found["seconds"], formula)


def in_our_words(text: str) -> str:
    """A formula of theirs in the syntax of ``Expression.parse``: roots and squares as powers,
    negative numbers in brackets."""
    text = re.sub(r"\b[A-Z][a-z]+(?=\()", lambda word: word[0].lower(), text)
    text = re.sub(r"([*/+-]) (-[0-9.]+(?:e[+-]?[0-9]+)?)", r"\1 (\2)", text)
    for name, power in (("sqrt", "0.5"), ("square", "2"), ("cube", "3")):
        while found := re.search(rf"\b{name}\(", text):
            start = found.end() - 1
            end = _closing(text, start)
            inside = text[start : end + 1]
            text = f"{text[: found.start()]}({inside}**{power}){text[end + 1 :]}"
    return text


def _closing(text: str, start: int) -> int:
    """Where the bracket at `start` closes."""
    depth = 0
    for position in range(start, len(text)):
        depth += (text[position] == "(") - (text[position] == ")")
        if not depth:
            return position
    raise ValueError(f"a bracket of {text!r} does not close")
