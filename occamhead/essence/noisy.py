"""Circuits of rows some of whose labels are wrong: a longer rule must pay for itself.

A circuit that obeys every label learns the wrong ones too. Here labels are first settled by
something that leaves single rows aside: a tree of few leaves, a linear model of few inputs, or the
votes of a forest that has not seen the row; the circuit is then exact on what these say. Many such
circuits, and the one of all labels, are judged on rows held out, and the shortest is taken that
does about as well as the best.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from occamhead.checks import needs
from occamhead.essence.arrays import Ints
from occamhead.essence.circuit import Circuit, description_length
from occamhead.essence.fitting import MAX_SUBCONCEPTS, Limits, shortest_circuit
from occamhead.essence.patterns import class_labels, pool, whole_numbers

Fit: TypeAlias = Callable[[Ints, Ints], Circuit | None]

# Leaves of the trees, penalties of the linear models (the C of scikit-learn), strongest first, and
# after how many of either that did no better no longer one is tried.
LEAVES, LOOSE, PATIENCE = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64), (0.01, 0.03, 0.1, 0.3, 1.0), 3
# Share of the forest's votes that a label needs to be believed, and the trees of the forest.
BELIEVED, TREES = (0.2, 0.35, 0.5), 60
# Most subconcepts of a circuit of settled labels, which is short if these are well settled; and
# most subconcepts times numbers in the rows, of such a circuit, and of one of all labels where a
# forest does no better than what is there, so that it hardly will either. A limit in seconds would
# make what is found depend on the machine.
SETTLED, SETTLED_WORK, UNLIKELY_WORK = 32, 150_000, 60_000
# Standard errors of the difference to the best one's held-out rows that a shorter one may lose.
STANDARD_ERRORS = 1.0


log = logging.getLogger("occamhead")


@dataclass(frozen=True)
class NoisyFit:
    """A circuit of rows some of whose labels may be wrong.

    Attributes:
        circuit: The circuit.
        misfits: Rows whose label it does not give, [misfits] indices, ascending.
        held_out_right: Share of the rows that circuits of the other folds have right.
        labels_from: What settled the labels: "rows", "tree of 4 leaves", "forest, 0.35 of votes".
    """

    circuit: Circuit
    misfits: NDArray[np.int64]
    held_out_right: float
    labels_from: str


@dataclass(frozen=True)
class _Tried:
    """A circuit of all rows, and on which rows those of the other folds are right."""

    circuit: Circuit
    right: NDArray[np.bool_]
    labels_from: str

    @property
    def price(self) -> float:
        return description_length(self.circuit)


def fit_noisy_circuit(
    x: ArrayLike,
    y: ArrayLike,
    *,
    classes: int | None = None,
    folds: int = 5,
    seed: int = 0,
    time_limit: float = 30.0,
) -> NoisyFit:
    """Learn an essence network from rows some of whose labels are wrong.

    Tried are circuits of what trees of 1, 2, 3, ... leaves say of the rows, and linear models of
    few inputs; of the rows whose labels a forest believes; and of all labels, by
    :func:`occamhead.essence.fit_circuit`. Taken is that of the shortest description whose held-out
    rows are right about as often as the best one's: within one standard error of the difference,
    row by row.

    Args:
        x: Inputs, [rows, inputs], whole numbers.
        y: Class of each row, [rows] whole numbers from 0.
        classes: Number of classes; None takes the highest label plus one.
        folds: Folds that are held out in turn; fewer where there are fewer rows.
        seed: Seed of the folds, the trees and the forest.
        time_limit: CPU seconds after which nothing more is tried; a warning says so, since what is
            found then depends on the machine.

    Raises:
        ValueError: If inputs or labels are no whole numbers, or there are fewer than two folds.
        ImportError: Without scikit-learn.

    Example:
        >>> import numpy as np
        >>> from occamhead.essence import fit_noisy_circuit
        >>> x = np.random.default_rng(0).integers(0, 2, (400, 8))
        >>> truth = x[:, 1] & x[:, 4]
        >>> wrong = np.arange(400) % 20 == 0
        >>> fit = fit_noisy_circuit(x, truth ^ wrong)
        >>> (fit.circuit.predict(x) == truth).all(), len(fit.misfits)
        (np.True_, 20)

    Source: design of ours; filters of labels after Brodley & Friedl, JAIR 11, 131-167, 1999, the
    one-standard-error rule after Breiman et al. 1984.
    """
    with needs("scikit-learn", "a circuit of noisy labels", "tabular"):
        from sklearn.model_selection import KFold
    points = whole_numbers(x)
    labels = class_labels(y, len(points), classes)
    if folds < 2:
        raise ValueError(f"folds must be at least 2, got {folds}")
    classes = int(labels.max()) + 1 if classes is None else classes
    count = min(folds, len(points))
    shuffled = KFold(count, shuffle=True, random_state=seed) if count > 1 else None
    splits = list(shuffled.split(points)) if shuffled else []
    search = _Search(points, labels, classes, splits, seed, time.process_time() + time_limit)
    tried = [*search.all()]
    if search.is_late():
        log.warning(
            "the time limit of %g CPU seconds came before all was tried: another machine may find"
            " another rule; raise time_limit", time_limit,
        )  # fmt: skip
    best = max(tried, key=lambda each: (each.right.sum(), -each.price))
    near = [each for each in tried if _about_as_good(each.right, best.right)]
    taken = min(near, key=lambda each: (each.price, -each.right.sum()))
    misfits = np.flatnonzero(taken.circuit.predict(points) != labels)
    return NoisyFit(taken.circuit, misfits, float(taken.right.mean()), taken.labels_from)


def _about_as_good(right: NDArray[np.bool_], best: NDArray[np.bool_]) -> bool:
    """Whether one loses to another within the standard error of the rows on which they differ."""
    lost, won = int((best & ~right).sum()), int((right & ~best).sum())
    return lost - won <= STANDARD_ERRORS * (lost + won) ** 0.5


@dataclass
class _Search:
    """What is tried, on which rows.

    Args:
        x, y, classes: The rows.
        splits: The rows outside and inside of each fold.
        seed: Of trees and forests.
        deadline: CPU seconds, of the process, after which nothing is tried.
    """

    x: Ints
    y: Ints
    classes: int
    splits: list[tuple[NDArray[Any], NDArray[Any]]]
    seed: int
    deadline: float

    def is_late(self) -> bool:
        return time.process_time() > self.deadline

    def all(self) -> Iterator[_Tried]:
        """What was tried; at least the most frequent class."""
        most = 0
        trees = ((f"tree of {leaves} leaves", self._of_tree(leaves)) for leaves in LEAVES)
        linear = ((f"linear model, C = {c:g}", self._of_linear(c)) for c in LOOSE)
        for path in (trees, linear):
            best, worse = 0, 0
            for name, fit in path:
                tried = self.tried(fit, name)
                if tried is None:
                    continue
                yield tried
                right = int(tried.right.sum())
                best, worse = max(best, right), 0 if right > best else worse + 1
                if worse == PATIENCE:
                    break
            most = max(most, best)
        more = self._believed(self.x, self.y, 0.5).sum() - most
        hopeful = bool(more > (len(self.y) - most) ** 0.5)
        for name, fit in self._others(hopeful):
            tried = self.tried(fit, name)
            if tried is not None:
                yield tried

    def tried(self, fit: Fit, name: str) -> _Tried | None:
        """A fit to all rows and to those outside of each fold; None if one takes too long."""
        circuit = fit(self.x, self.y)
        if circuit is None:
            return None
        right = np.zeros(len(self.y), dtype=bool)
        for rest, own in self.splits:
            other = fit(self.x[rest], self.y[rest])
            if other is None:
                return None
            right[own] = other.predict(self.x[own]) == self.y[own]
        return _Tried(circuit, right, name)

    def _exact(
        self, x: Ints, y: Ints, most: int = MAX_SUBCONCEPTS, work: int | None = None
    ) -> Circuit | None:
        """The circuit of these labels; None if no reader would want it, or it takes too long."""
        # One class alone takes no time, and is what there is if there is none.
        if self.is_late() and len(np.unique(y)) > 1:
            return None
        patterns = pool(x, y, classes=self.classes)
        if work is not None:
            most = min(most, work // patterns.points.size)
        return shortest_circuit(patterns, Limits(most, self.deadline)) if most else None

    def _others(self, hopeful: bool) -> Iterator[tuple[str, Fit]]:
        work = None if hopeful else UNLIKELY_WORK
        yield "rows", lambda x, y: self._exact(x, y, work=work)
        for share in BELIEVED if hopeful else ():
            yield f"forest, {share:g} of votes", self._of_forest(share)

    def _settled(self, x: Ints, told: Ints, used: Ints) -> Circuit | None:
        """The circuit of what something says that reads these inputs."""
        if not len(used):
            used = np.zeros(1, dtype=np.int64)
        circuit = self._exact(x[:, used], told, SETTLED, SETTLED_WORK)
        if circuit is None:
            return None
        weights = np.zeros((len(circuit.weights), x.shape[1]), dtype=np.int64)
        weights[:, used] = circuit.weights
        return replace(circuit, weights=weights)

    def _of_tree(self, leaves: int) -> Fit:
        def fit(x: Ints, y: Ints) -> Circuit | None:
            from sklearn.tree import DecisionTreeClassifier

            if leaves == 1:
                return self._settled(x, np.full_like(y, np.bincount(y).argmax()), y[:0])
            tree = DecisionTreeClassifier(max_leaf_nodes=leaves, random_state=self.seed).fit(x, y)
            used = np.unique(tree.tree_.feature[tree.tree_.feature >= 0])
            return self._settled(x, tree.predict(x), used)

        return fit

    def _of_linear(self, loose: float) -> Fit:
        def fit(x: Ints, y: Ints) -> Circuit | None:
            from sklearn.exceptions import ConvergenceWarning
            from sklearn.svm import LinearSVC

            scale = np.maximum(np.abs(x).max(axis=0), 1)
            if len(np.unique(y)) == 1:
                return None
            model = LinearSVC(penalty="l1", dual=False, C=loose, random_state=self.seed)
            with warnings.catch_warnings():
                # That it ends early is no harm: what it says is judged by rows held out.
                warnings.simplefilter("ignore", ConvergenceWarning)
                told = model.fit(x / scale, y).predict(x / scale)
            return self._settled(x, told, np.flatnonzero(model.coef_.any(axis=0)))

        return fit

    def _of_forest(self, share: float) -> Fit:
        def fit(x: Ints, y: Ints) -> Circuit | None:
            believed = self._believed(x, y, share)
            return self._exact(x[believed], y[believed]) if believed.any() else None

        return fit

    def _believed(self, x: Ints, y: Ints, share: float) -> NDArray[np.bool_]:
        """Rows whose label has this share of the votes of trees that have not seen them, [rows]."""
        from sklearn.ensemble import RandomForestClassifier

        places, known = np.unique(y, return_inverse=True)
        if len(places) == 1:
            return np.ones(len(y), dtype=bool)
        votes = np.zeros((len(y), len(places)))
        cast = np.zeros(len(y))
        forest = RandomForestClassifier(TREES, random_state=self.seed, n_jobs=1).fit(x, y)
        for tree, drawn in zip(forest.estimators_, forest.estimators_samples_, strict=True):
            unseen = np.ones(len(y), dtype=bool)
            unseen[drawn] = False
            if not unseen.any():
                continue
            votes[unseen] += tree.predict_proba(x[unseen])
            cast += unseen
        own = votes[np.arange(len(y)), known]
        return np.asarray((own >= share * cast) & (cast > 0))
