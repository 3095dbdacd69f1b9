"""Heads of other kinds to compare with: a small tree, an EBM, a KAN and gplearn's formulas.

They are called as those of :mod:`recipes.others.linear_heads` are, choose as they do, and read at
most as many features as asked. interpret, pykan and gplearn are other people's work and optional.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from itertools import product
from typing import Any

import numpy as np

from occamhead.checks import needs
from occamhead.rows.arrays import as_rows
from recipes.others.linear_heads import (
    Clock,
    Heads,
    SparseHead,
    count_classes,
    sparse_points,
)
from recipes.shared.rows import Part, together

Chances = Callable[[np.ndarray], np.ndarray]
"""Rows of all features to the chances of the classes, [rows, classes]."""

SCREEN = 256  # features that the slower methods see: those with the largest univariate F


def most_telling(train: Part, count: int) -> np.ndarray:
    """The `count` features with the largest univariate F, largest first."""
    with needs("scikit-learn", "other heads"):
        from sklearn.feature_selection import f_classif

    with np.errstate(all="ignore"), quiet():  # about constant features
        scores = np.nan_to_num(f_classif(*train)[0], nan=-1.0)
    return np.argsort(-scores, kind="stable")[:count]


def lasso_columns(rows: Part, counts: Sequence[int]) -> dict[int, np.ndarray]:
    """The features of the L1 path by count."""
    points = sparse_points(as_rows(rows), count_classes(rows), counts)
    return {n: points[n].support.any(dim=1).nonzero().flatten().numpy() for n in counts}


def log_loss(chances: np.ndarray, labels: np.ndarray) -> float:
    """Cross-entropy in nats; a chance is taken to be at least one in a thousand.

    A leaf of a tree is sure of what it saw, and one mistake must not decide everything.
    """
    return float(-np.log(np.maximum(chances[np.arange(len(labels)), labels], 1e-3)).mean())


def on_columns(
    predict: Callable[[np.ndarray], np.ndarray], columns: Sequence[int] | np.ndarray
) -> Callable[[np.ndarray], np.ndarray]:
    """A predictor of some columns as one of all."""
    chosen = np.asarray(columns)
    return lambda x: np.asarray(predict(x[:, chosen]))


def most_likely(chances: Chances) -> Callable[[np.ndarray], np.ndarray]:
    """A predictor of classes from one of their chances."""
    return lambda x: np.asarray(chances(x).argmax(axis=1))


def share(predicted: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean(predicted == labels))


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what other programs print and warn of off the terminal."""
    with (
        warnings.catch_warnings(),
        redirect_stdout(io.StringIO()),
        redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield


def _columns(columns: Sequence[int] | np.ndarray) -> tuple[int, ...]:
    return tuple(sorted(int(column) for column in columns))


# --- tree ---------------------------------------------------------------------------------------

DEPTHS, LEAVES, SMALLEST = (1, 2, 3, 4), (2, 3, 4, 6, 8, 12, 16), (1, 3, 6, 12)


def tree(train: Part, validation: Part, counts: Sequence[int], seconds: float, seed: int) -> Heads:
    """A decision tree of depth at most 4; depth, leaves, their rows and the criterion chosen."""
    with needs("scikit-learn", "other heads"):
        from sklearn.tree import DecisionTreeClassifier

    clock, heads = Clock(seconds), Heads()

    def used(model: Any) -> np.ndarray:
        return np.unique(model.tree_.feature[model.tree_.feature >= 0])

    trials = []
    for depth, leaves, smallest, criterion in product(
        DEPTHS, LEAVES, SMALLEST, ("gini", "entropy")
    ):
        if leaves > 2**depth or (depth > 1 and leaves <= 2 ** (depth - 1)):
            continue  # this tree is another's
        setting = {
            "max_depth": depth,
            "max_leaf_nodes": leaves,
            "min_samples_leaf": smallest,
            "criterion": criterion,
            "random_state": seed,
        }
        model = DecisionTreeClassifier(**setting).fit(*train)
        loss = log_loss(model.predict_proba(validation[0]), validation[1])
        trials.append((loss, setting, len(used(model)), model.score(*validation)))
        if clock.over(0.8):
            break
    for count in counts:
        # With more rows a tree of the same setting may read more features.
        able = [trial for trial in trials if trial[2] <= count]
        for _, setting, _, accuracy in sorted(able, key=lambda trial: trial[0]):
            model = DecisionTreeClassifier(**setting).fit(*together(train, validation))
            if len(used(model)) <= count:
                heads.by_count[count] = SparseHead(model.predict, _columns(used(model)), accuracy)
                break
    heads.seconds, heads.cut = clock.spent, clock.cut
    return heads


# --- explainable boosting -----------------------------------------------------------------------

# Few rows are soon told apart, and boosting would go on to its default of 50,000 rounds.
EBM_SETTING = {"outer_bags": 8, "learning_rate": 0.04, "max_rounds": 60}


def ebm(train: Part, validation: Part, counts: Sequence[int], seconds: float, seed: int) -> Heads:
    """interpret's explainable boosting machine without interactions: a GAM.

    Its features are chosen by its own importances, or by the L1 path.
    """
    from interpret.glassbox import ExplainableBoostingClassifier

    clock, heads = Clock(seconds), Heads()
    downwards = sorted(counts, reverse=True)

    def fitted(rows: Part, columns: np.ndarray, **more: Any) -> Any:
        setting = {**EBM_SETTING, **more, "random_state": seed}
        model = ExplainableBoostingClassifier(interactions=0, n_jobs=1, **setting)
        with quiet():
            return model.fit(rows[0][:, columns], rows[1])

    def by_importance(rows: Part, limit: float) -> dict[int, tuple[np.ndarray, Any]]:
        """From the screened features down, each fit hands its most important ones to the next."""
        columns, steps = most_telling(rows, SCREEN), {}
        # All of them cost the most, and their order alone is wanted.
        model = fitted(rows, columns, outer_bags=2)
        for count in downwards:
            columns = columns[np.argsort(-model.term_importances(), kind="stable")[:count]]
            model = fitted(rows, columns)
            steps[count] = (columns, model)
            if clock.over(limit):
                break
        return steps

    def by_path(rows: Part, limit: float) -> dict[int, tuple[np.ndarray, Any]]:
        steps = {}
        for count, columns in lasso_columns(rows, downwards).items():
            if clock.over(limit):
                break
            steps[count] = (columns, fitted(rows, columns))
        return steps

    best: dict[int, tuple[float, float, Any]] = {}
    for choose, limit in ((by_importance, 0.3), (by_path, 0.5)):
        for count, (columns, model) in choose(train, limit).items():
            chances = model.predict_proba(validation[0][:, columns])
            loss = log_loss(chances, validation[1])
            if count not in best or loss < best[count][0]:
                best[count] = (loss, share(chances.argmax(axis=1), validation[1]), choose)
    for choose in (by_importance, by_path):
        if not any(chosen is choose for _, _, chosen in best.values()):
            continue
        for count, (columns, model) in choose(together(train, validation), 1.0).items():
            if count in best and best[count][2] is choose:
                predict = on_columns(model.predict, columns)
                heads.by_count[count] = SparseHead(predict, _columns(columns), best[count][1])
    heads.seconds, heads.cut = clock.spent, clock.cut
    return heads


# --- Kolmogorov-Arnold network ------------------------------------------------------------------

# Hidden nodes (none: a GAM of splines) and the weight of its sparsity penalty.
KAN_SETTINGS = tuple(product((0, 2), (0.0, 0.01)))
# On some features the least squares of a spline fail, and pykan trips over that.
KAN_FAILS = (UnboundLocalError, RuntimeError)


def kan(train: Part, validation: Part, counts: Sequence[int], seconds: float, seed: int) -> Heads:
    """A small pykan on the features of largest univariate F, or on those of the L1 path."""
    import torch
    from kan import KAN

    clock, heads = Clock(seconds), Heads()
    num_classes = count_classes(train)

    def choices(rows: Part) -> dict[int, dict[str, np.ndarray]]:
        """Columns by count and by what chose them."""
        order, lasso = most_telling(rows, max(counts)), lasso_columns(rows, counts)
        return {count: {"F": order[:count], "L1": lasso[count]} for count in counts}

    def fitted(rows: Part, columns: np.ndarray, hidden: int, penalty: float) -> Chances:
        """The classes' chances for rows of all features."""
        x, y = as_rows((rows[0][:, columns], rows[1]))
        mean, scale = x.mean(dim=0), x.std(dim=0).clamp_min(1e-6)
        # Splines have a grid from -1 to 1; pykan moves it, but knows no units.
        z = (x - mean) / (2 * scale)
        width = [len(columns), *([hidden] if hidden else []), num_classes]
        with quiet():
            model = KAN(width, grid=3, k=3, seed=seed, auto_save=False)
            model.fit(
                {"train_input": z, "train_label": y, "test_input": z, "test_label": y},
                steps=20,
                lamb=penalty,
                loss_fn=torch.nn.CrossEntropyLoss(),
                log=20,
            )

        def chances(all_features: np.ndarray) -> np.ndarray:
            shown = torch.as_tensor(all_features[:, columns].copy())
            with torch.no_grad():
                result: np.ndarray = model((shown - mean) / (2 * scale)).softmax(dim=1).numpy()
            return np.nan_to_num(result)

        return chances

    best: dict[int, tuple[float, float, str, tuple[int, float]]] = {}
    candidates = choices(train)
    for setting, count in product(KAN_SETTINGS, counts):
        for name, columns in candidates[count].items():
            if clock.over(0.7):
                break
            try:
                chances = fitted(train, columns, *setting)(validation[0])
            except KAN_FAILS:
                continue
            loss = log_loss(chances, validation[1])
            if count not in best or loss < best[count][0]:
                accuracy = share(chances.argmax(axis=1), validation[1])
                best[count] = (loss, accuracy, name, setting)
    rows = together(train, validation)
    candidates = choices(rows)
    for count, (_, accuracy, name, setting) in best.items():
        columns = candidates[count][name]
        try:
            final = fitted(rows, columns, *setting)
        except KAN_FAILS:
            continue
        heads.by_count[count] = SparseHead(most_likely(final), _columns(columns), accuracy)
    heads.seconds, heads.cut = clock.spent, clock.cut
    return heads


# --- genetic programming ------------------------------------------------------------------------

# What a node of a formula costs, in nats of the cross-entropy.
PARSIMONY = (0.002, 0.01, 0.03)


def gplearn(
    train: Part, validation: Part, counts: Sequence[int], seconds: float, seed: int
) -> Heads:
    """gplearn's classifier of two classes, run under several parsimonies until the time is over.

    Of each generation and count, the program of least training loss is shown to validation. All
    rows then fit the slope and the intercept of the sigmoid that the kept program goes through.

    Raises:
        ValueError: If there are more than two classes.
    """
    from gplearn.genetic import SymbolicClassifier

    with needs("scikit-learn", "other heads"):
        from sklearn.linear_model import LogisticRegression

    if count_classes(train) != 2:
        raise ValueError(
            f"gplearn tells two classes apart, got {count_classes(train)}; leave it out of"
            " --methods"
        )
    clock, heads = Clock(seconds), Heads()
    columns = most_telling(train, SCREEN)
    mean, scale = train[0][:, columns].mean(axis=0), train[0][:, columns].std(axis=0) + 1e-6

    def shown(x: np.ndarray) -> np.ndarray:
        return np.asarray((x[:, columns] - mean) / scale, dtype=float)

    def scores(program: Any, x: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            values = np.clip(np.nan_to_num(program.execute(shown(x))), -1e3, 1e3)
        return np.asarray(values).reshape(-1, 1)

    def through(program: Any, rows: Part) -> Chances:
        """The program through a sigmoid whose slope and intercept fit the rows."""
        curve = LogisticRegression(C=100.0, max_iter=1000).fit(scores(program, rows[0]), rows[1])
        return lambda x: np.asarray(curve.predict_proba(scores(program, x)))

    best: dict[int, tuple[float, float, Any]] = {}
    for place, parsimony in enumerate(PARSIMONY):
        model = SymbolicClassifier(
            population_size=1000,
            generations=1,
            function_set=("add", "sub", "mul", "div", "max", "min", "abs"),
            parsimony_coefficient=parsimony,
            init_depth=(1, 4),
            warm_start=True,
            low_memory=True,
            random_state=seed,
        )
        while not best or not clock.over((place + 1) / len(PARSIMONY)):
            with quiet(), np.errstate(all="ignore"):
                programs = model.fit(shown(train[0]), train[1])._programs[-1]
            programs = sorted(programs, key=lambda program: program.raw_fitness_)
            for count in counts:
                program = next((p for p in programs if len(_features(p)) <= count), None)
                if program is None:
                    continue
                chances = through(program, train)(validation[0])
                loss = log_loss(chances, validation[1])
                if count not in best or loss < best[count][0]:
                    accuracy = share(chances.argmax(axis=1), validation[1])
                    best[count] = (loss, accuracy, program)
            model.generations += 1
    for count, (_, accuracy, program) in best.items():
        final = through(program, together(train, validation))
        used = _columns(columns[sorted(_features(program))])
        heads.by_count[count] = SparseHead(most_likely(final), used, accuracy)
    # It has no end of its own.
    heads.seconds, heads.cut = clock.spent, False
    return heads


def _features(program: Any) -> set[int]:
    return {node for node in program.program if isinstance(node, int)}
