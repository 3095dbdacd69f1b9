"""Fits of every kind that are kept in a folder.

``python -m tests.tables.kept_fits CASE FOLDER NUMBER...`` makes each until it dies with so many
parts on the disk; see :func:`tests.saving.dying.die_in_each`.
"""

from __future__ import annotations

import sys
import warnings

import numpy as np

from occamhead import OccamClassifier, OccamRegressor
from occamhead.network.bases import BASES, register_basis
from occamhead.search import evolution
from tests.saving.dying import die_in_each

# Without products there are no direct fits, which take seconds.
QUICK = ("add", "sin", "square", "mul_constant")


def small(**settings):
    return {"max_functions": 500, "depth": 2, "folds": 3, "random_state": 0, **settings}


def rows(count=48):
    random = np.random.default_rng(0)
    x = random.uniform(0.5, 3, (count, 2))
    return x, np.sin(2 * x[:, 0]) + x[:, 1] ** 2 + 0.2 * random.normal(size=count)


def quick(folder, **settings):
    return OccamRegressor(bases=QUICK, checkpoint=folder, **small(**settings)).fit(*rows())


def whole(folder, **settings):
    return OccamRegressor(checkpoint=folder, **small(**settings)).fit(*rows())


def decades(folder, **settings):
    """By squared errors, then by relative ones."""
    x, y = rows()
    return OccamRegressor(bases=QUICK, checkpoint=folder, **small(**settings)).fit(x, np.exp(y))


def classes(folder, **settings):
    x, y = rows()
    return OccamClassifier(checkpoint=folder, **small(**settings)).fit(x, y > 3)


def grouped(folder, bases=QUICK, **settings):
    x, y = rows()
    groups = np.arange(len(y)) % 3
    model = OccamRegressor(bases=bases, checkpoint=folder, **small(**settings))
    return model.fit(x, y * (1 + groups), groups=groups)


def own(folder, **settings):
    """With a basis that this process alone has registered."""
    if "bump" not in BASES:
        register_basis("bump", "exp(-(x - c)**2)", args="x", constants={"c": 0.5})
    return grouped(folder, (*QUICK, "bump"), **settings)


CASES = {
    "quick": quick,
    "whole": whole,
    "decades": decades,
    "absolute": lambda folder, **settings: whole(folder, loss="absolute", **settings),
    "limits": lambda folder, **settings: whole(
        folder, guesses=["sin(x0) + x1"], prices={"sin": 2}, nested={"sin": ["sin"]}, **settings
    ),
    "units": lambda folder, **settings: whole(
        folder, units={"x0": "m", "x1": "s", "y": "m/s"}, **settings
    ),
    "template": lambda folder, **settings: whole(folder, template="f(x0) + g(x1)", **settings),
    "classes": classes,
    "groups": grouped,
    "own bases": own,
}


def everything(model):
    """All that a fit says, as text that tells every bit."""
    found = {
        "best": model.best_.to_json(),
        "equations": [each.to_json() for each in model.equations_["expression"]],
        "figures": [
            [repr(value) for value in model.equations_[name]]
            for name in model.equations_
            if name != "expression"
        ],
        "reason": (model.result_.reason, model.result_.steps, model.result_.first_exact),
        "functions": model.n_functions_,
        "routes": model.result_.routes.tolist(),
        "left_out": getattr(model, "left_out_", None),
    }
    for name in ("numbers_", "groups_"):
        if hasattr(model, name):
            found[name] = [list(map(repr, each)) for each in getattr(model, name).itertuples()]
    if getattr(model, "parts_", None):
        found["parts"] = {name: part.to_json() for name, part in model.parts_.items()}
    return found


if __name__ == "__main__":
    evolution.KEEP_EVERY = 0.0
    warnings.simplefilter("ignore")
    die_in_each(CASES[sys.argv[1]], sys.argv[2], sys.argv[3:])
