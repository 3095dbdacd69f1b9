"""Paths of every kind that are kept in a folder; see :mod:`tests.tables.kept_fits`."""

from __future__ import annotations

import logging
import sys
import warnings

import torch

from occamhead import fit_head, fit_path
from occamhead.search import evolution
from occamhead.training import kept_training
from occamhead.training.evolution import fit_head_by_evolution
from occamhead.training.results import Fit
from tests.saving.dying import die_in_each


def rows(classes, count=90):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(count, 8, generator=generator)
    scores = (
        x[:, :classes] + x[:, -classes:] + 0.5 * torch.randn(count, classes, generator=generator)
    )
    return x, scores.argmax(dim=1)


def sums(folder, classes=3, budgets=(1, 2, 4), **settings):
    return fit_path(rows(classes), budgets, checkpoint=folder, **settings)


def blocks(folder, **settings):
    return sums(folder, nodes=2, terms=2, steps=12, **settings)


def head(fit, folder, **settings):
    quiet = {"accelerator": "cpu", "enable_progress_bar": False, "enable_model_summary": False}
    more = {"max_features": 3, "restarts": 2, "trainer": {**quiet, "logger": False}, **settings}
    return fit(rows(3), checkpoint=folder, **more)


CASES = {
    "sums": sums,
    "two classes": lambda folder: sums(folder, classes=2, select="balanced_accuracy"),
    "per class": lambda folder: sums(folder, per_class=True, class_weight="balanced", folds=1),
    "labels": lambda folder: sums(folder, distil=False),
    "blocks": blocks,
    "head by backprop": lambda folder: head(fit_head, folder, steps=12),
    "head by evolution": lambda folder: head(fit_head_by_evolution, folder, steps=15),
}


def everything(path):
    """All that a path, or a fit of a head, says, as text that tells every bit."""
    if isinstance(path, Fit):
        weights = {name: each.tolist() for name, each in path.head.state_dict().items()}
        dense = [path.dense.weight.tolist(), path.dense.bias.tolist()]
        said = [path.validation_accuracy, path.penalty, path.losses]
        return [path.head.formula().to_json(), weights, dense, said]
    found = [path.dense.weight.tolist(), path.dense.bias.tolist()]
    for point in path:
        weights = {name: each.tolist() for name, each in point.head.state_dict().items()}
        formula = point.head.formula().to_json()
        found.append([point.budget, formula, weights, repr(point.rates), point.penalty])
        found.append(sorted(point.returns.items()))
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    evolution.KEEP_EVERY, kept_training.KEEP_EVERY = 0.0, 1e-6
    logging.getLogger("pytorch_lightning").setLevel("ERROR")
    warnings.simplefilter("ignore")
    die_in_each(CASES[sys.argv[1]], sys.argv[2], sys.argv[3:])
