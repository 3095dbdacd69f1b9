"""``OccamRegressor`` and ``OccamClassifier``: formulas from tables, as scikit-learn does it."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.preprocessing import StandardScaler
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from occamhead.expression import Expression, ExpressionBuilder, linear_formula
from occamhead.expression.tidy import shortened
from occamhead.tables.fit_table import TabularSearch
from occamhead.tables.platt import calibrate, probabilities
from occamhead.tables.table import Table, make_table

RIDGE_PENALTIES = np.logspace(-3, 3, 13)
LOGISTIC_PENALTIES = np.logspace(-3, 2, 6)

Array = NDArray[np.float64]
Splits = list[tuple[NDArray[np.intp], NDArray[np.intp]]]


class OccamRegressor(RegressorMixin, TabularSearch):
    """Regression by a formula that an OccamNet found.

    The formula is chosen by cross-validation among those of the front of error against
    complexity and a ridge regression on all inputs; it replaces the ridge regression only if it
    is better by two standard errors. An exact formula is taken at once if it has fewer numbers
    than there are rows. The order of the rows does not matter.

    Parameters
    ----------
    bases : str or sequence of str
        Basis functions of each layer, see :data:`occamhead.BASES`, or the name of a set of them.
    depth : int
        Layers of these bases; a layer of weighted sums follows them.
    max_terms : int
        Most terms of these sums.
    constants : sequence of float
        Constants beside the inputs; others are fitted.
    max_complexity : int
        Most nodes and fitted constants of a formula.
    max_functions : int or None
        Functions sampled in the search on all rows; half as many in that of each fold.
    time_budget : float or None
        CPU seconds for all searches; replaces `max_functions`.
    folds : int
        Folds of the cross-validation; below 2 the ridge regression stands unless a formula is
        exact.
    strategy : mapping or None
        Further fields of :class:`occamhead.search.Strategy`.
    warm_start : bool
        Start from the formulas of the last fit.
    random_state : int, RandomState or None
        Fixes the sampled functions and the folds.
    verbose : bool
        Show a progress bar with the best formula so far.

    Attributes
    ----------
    best_ : Expression
        The formula that :meth:`predict` runs.
    equations_ : DataFrame
        The Pareto front and the ridge regression: complexity, loss (mean squared error),
        cross_validated_loss, equation, expression, kind, chosen.
    result_ : Result
        The search on all rows.
    n_functions_ : int
        Functions that it sampled.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Examples
    --------
    >>> import numpy as np
    >>> from occamhead import OccamRegressor
    >>> x = np.random.default_rng(0).uniform(1, 5, (100, 2))
    >>> model = OccamRegressor(random_state=0).fit(x, 3 * x[:, 0] / x[:, 1])
    >>> print(model.best_)
    3*x0/x1
    """

    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> OccamRegressor:
        """Fit a formula.

        Parameters
        ----------
        X : array-like of shape (rows, features)
            Finite numbers; a DataFrame's column names become the names in the formulas.
        y : array-like of shape (rows,)
            Finite numbers.
        sample_weight : array-like of shape (rows,) or None
            Whole-number weights count rows: a weight of 2 is a row given twice, also to the
            folds. Other weights weigh a row, which stays one.

        Returns
        -------
        self
        """
        self._check_columns(X)
        x, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=2)
        y = np.asarray(y, np.float64)
        table = make_table(x, y[:, None], y, self._weights(x, sample_weight))
        if np.ptp(table.labels) == 0:
            warnings.warn(
                f"the target is {table.labels[0]:g} in every row; the formula is that constant",
                ConvergenceWarning,
                stacklevel=2,
            )
        self._fit(table)
        return self

    def predict(self, X: ArrayLike) -> Array:
        """Values of the formula, [rows]; NaN or inf where it has none."""
        return self._evaluate(X)[:, 0]

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """R^2 of the formula; what is not finite counts as the mean of y."""
        predicted, wanted = self.predict(X), np.asarray(y, np.float64)
        weights = None if sample_weight is None else np.asarray(sample_weight, np.float64)
        mean = np.average(wanted, weights=weights)
        finite = np.where(np.isfinite(predicted), predicted, mean)
        return float(r2_score(wanted, finite, sample_weight=sample_weight))

    def _linear(self, table: Table) -> Expression:
        if np.ptp(table.labels) == 0:  # of one row, too, which cannot be left out
            return linear_formula(np.zeros((1, table.x.shape[1])), table.labels[:1])
        weights = table.weights * len(table.x)
        scaler = StandardScaler().fit(table.x, sample_weight=weights)
        model = RidgeCV(RIDGE_PENALTIES).fit(
            scaler.transform(table.x), table.labels, sample_weight=weights
        )
        return _unscaled(model, scaler, table.x)

    def _losses(self, formula: Expression, x: Array, labels: NDArray[Any]) -> Array:
        with np.errstate(all="ignore"):
            return (formula(x)[:, 0] - labels) ** 2

    def _mean_loss(self, table: Table) -> float:
        return float(table.weights @ (table.labels - table.weights @ table.labels) ** 2)

    def _finish(self, formula: Expression, table: Table) -> Expression:
        return formula

    def _splits(self, table: Table, folds: int, seed: int) -> Splits:
        return list(KFold(folds, shuffle=True, random_state=seed).split(table.x))


class OccamClassifier(ClassifierMixin, TabularSearch):
    """Classification by formulas that an OccamNet found: one per class, or one for two classes.

    The formulas are fitted to the classes' indicators by least squares, then each gets a slope
    and an intercept by maximum likelihood: they are log-odds (two classes) or scores whose softmax
    gives the probabilities. Parameters and attributes are those of :class:`OccamRegressor`, with
    a logistic regression for the ridge regression, `loss` the mean cross-entropy in nats, and
    `classes_`. Folds are no more than the rows of the rarest class.
    """

    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> OccamClassifier:
        """Fit the formulas; as :meth:`OccamRegressor.fit`, with y the classes, [rows]."""
        self._check_columns(X)
        x, y = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        check_classification_targets(y)
        weights = self._weights(x, sample_weight)
        used = weights > 0
        self.classes_, labels = np.unique(np.asarray(y)[used], return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                "the classifier needs samples of at least 2 classes, got 1 class:"
                f" {self.classes_[0]}; give rows of another class, or fit no classifier"
            )
        if len(self.classes_) == 2:
            targets = labels[:, None].astype(np.float64)
        else:
            targets = np.eye(len(self.classes_))[labels]
        self._fit(make_table(x[used], targets, labels, weights[used]))
        return self

    def decision_function(self, X: ArrayLike) -> Array:
        """Scores of the formulas: log-odds [rows] for two classes, else [rows, classes]."""
        scores = self._evaluate(X)
        return scores[:, 0] if len(self.classes_) == 2 else scores

    def predict_proba(self, X: ArrayLike) -> Array:
        """Probability of each class, [rows, classes]."""
        return probabilities(self._evaluate(X))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The most probable class of each row, [rows]."""
        check_is_fitted(self, "best_")
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def _linear(self, table: Table) -> Expression:
        weights = table.weights * len(table.x)
        scaler = StandardScaler().fit(table.x, sample_weight=weights)
        folds = min(5, int(np.bincount(table.labels).min()))
        model: Any
        if folds < 2:
            model = LogisticRegression(max_iter=1000)
        else:
            splitter = StratifiedKFold(folds, shuffle=True, random_state=0)
            model = LogisticRegressionCV(
                Cs=LOGISTIC_PENALTIES, cv=splitter, scoring="neg_log_loss", max_iter=1000
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its own parameters' names and convergence
            model.fit(scaler.transform(table.x), table.labels, sample_weight=weights)
        return _unscaled(model, scaler, table.x)

    def _losses(self, formula: Expression, x: Array, labels: NDArray[Any]) -> Array:
        with np.errstate(all="ignore"):
            chances = probabilities(formula(x))
            return -np.log(np.maximum(chances[np.arange(len(x)), labels], 1e-12))

    def _mean_loss(self, table: Table) -> float:
        shares = np.bincount(table.labels, weights=table.weights)
        return -float(table.weights @ np.log(shares[table.labels]))

    def _finish(self, formula: Expression, table: Table) -> Expression:
        with np.errstate(all="ignore"):
            scores = formula(table.x)
        if not np.isfinite(scores).all():
            return formula
        slopes, intercepts = calibrate(scores, table.labels, table.weights)
        builder = ExpressionBuilder()
        tops = builder.copy(formula, {i: builder.input(i) for i in formula.features})
        outputs = [
            builder.affine(float(intercept), [(float(slope), top)])
            for slope, intercept, top in zip(slopes, intercepts, tops, strict=True)
        ]
        scaled = builder.build(outputs, formula.num_inputs).simplified()
        return shortened(scaled, table.x)

    def _splits(self, table: Table, folds: int, seed: int) -> Splits:
        folds = min(folds, int(np.bincount(table.labels).min()))
        if folds < 2:
            return []
        splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
        return list(splitter.split(table.x, table.labels))


def _unscaled(model: Any, scaler: StandardScaler, x: Array) -> Expression:
    """The formula, on the inputs as they are, of a linear model of standardised inputs."""
    coefficients = np.atleast_2d(model.coef_) / scaler.scale_
    intercepts = np.atleast_1d(model.intercept_) - coefficients @ scaler.mean_
    return shortened(linear_formula(coefficients, intercepts), x)


__all__ = ["OccamClassifier", "OccamRegressor"]
