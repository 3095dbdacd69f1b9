"""``OccamRegressor`` and ``OccamClassifier``: formulas from tables, as scikit-learn does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from occamhead.expression import Expression
from occamhead.tables.classification import Classification, scores_of_all
from occamhead.tables.column_checks import check_columns
from occamhead.tables.column_units import Units, column_units
from occamhead.tables.fit_table import FittedTable
from occamhead.tables.group_estimates import GroupEstimates
from occamhead.tables.guesses import read_guesses
from occamhead.tables.limits import Bounds, Nested, read_limits
from occamhead.tables.local import error_scale
from occamhead.tables.losses import RowLoss, get_loss
from occamhead.tables.no_law import say_constant_target
from occamhead.tables.number_errors import named_constants, number_errors, number_frame
from occamhead.tables.platt import probabilities
from occamhead.tables.regression import Regression
from occamhead.tables.sorted_rows import sort_rows
from occamhead.tables.table_estimator import DEFAULT_BASES, TableEstimator
from occamhead.tables.template import read_template
from occamhead.tables.which_errors import squared_or_relative
from occamhead.tables.wishes import Wishes

Array = NDArray[np.float64]


class OccamRegressor(GroupEstimates, RegressorMixin, TableEstimator):
    """Regression by a formula that an OccamNet found.

    Formulas from the search, the constant, a ridge regression on all inputs and sums of few inputs
    are all measured by what they lose on held-out rows and by their complexity as they are
    written; the simplest is returned whose losses are within one standard error of the best's, in
    the mean and in Wilcoxon's signed ranks. Structures are searched once, on all rows; in the folds
    only numbers are fitted anew, and a searched structure is charged what the best of so many may
    gain by chance. What explodes or is undefined between the rows is left out. An exact formula is
    taken at once if it has fewer numbers than there are rows. The order of rows does not matter.

    Of more than 2,000 rows as many are searched on, of more than 10,000 as many judge, taken at
    equal steps along the sorted target; the formula that is chosen then gets its numbers from up to
    100,000 rows. Of more than 12 inputs the search looks at the 12 that tell most, alone or in
    pairs.

    Parameters
    ----------
    bases : str or sequence of str
        Basis functions of each layer, see :data:`occamhead.BASES`, or the name of a set of them.
    depth : int
        Layers of these bases; a layer of weighted sums follows them.
    max_terms : int
        Most terms of these sums.
    constants : sequence of float, or mapping of names to them
        Constants beside the inputs; others are fitted. Those with a name, such as {"g": 9.81}, are
        beside 1, and `numbers_` says which number may be one of them.
    max_complexity : int
        Most nodes and fitted constants of a formula of the search.
    max_functions : int or None
        Functions sampled in the search.
    time_budget : float or None
        CPU seconds for the search and the choice, without those of compiling; replaces
        `max_functions`.
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
    n_jobs : int or None
        Processes that judge folds, and search in groups, at the same time; as in scikit-learn, None
        is 1 and -1 all cores. The formula is the same for any number. A `time_budget`, which counts
        the CPU seconds of one process, leaves it at 1.
    checkpoint : str, Path or None
        Folder in which the fit is kept while it runs. One that was stopped goes on from the stages,
        folds and last 10 s of the search that were done, and ends as if it had not been, but for
        what `result_` says of `evaluated` and `seconds`; one that had ended is not done again.
        Another fit there is refused. A `time_budget` goes on being spent; what it leaves time for
        depends on the machine, stopped or not.
    loss : str or callable
        What formulas are fitted to and chosen by: "auto" ("squared"; of a target of one sign that
        spans more than two decades also "relative", if by that held-out errors are likelier, which
        is logged), "squared", "absolute", "huber" (square up to 1.345 robust standard deviations),
        "quantile", "relative" (squared error over the target's square), or a function of targets
        and predictions, both [rows], that gives the loss of each row, [rows]. Others than "squared"
        are fitted by least squares that stand for them, and searched twice with half of the limit.
    quantile : float
        Which quantile the loss "quantile" asks for.
    units : mapping, sequence or None
        Unit of each column by its name (x0, x1, ... of an array) and of the target by its name or
        "y": SI units such as "kg*m/s**2", or seven exponents of m, kg, s, A, K, mol and cd; a
        column that is left out may have any. Or a sequence: of each column, then of the target.
        Formulas that break units are neither listed nor chosen, and laws that units suggest are
        fitted before anything is searched.
    guesses : str, or sequence of them
        Formulas over the columns' names to start from. Each is a candidate, of the kind "guess",
        its numbers fitted: those that it writes, and also with a slope and an intercept and
        factors and terms of 1 free.
    template : str or None
        The form of the law, with unknown functions of columns, or of formulas over them:
        "sin(f(x1, x2)) + g(x3)". Nothing else is listed but guesses and the constant.
    nested : mapping or None
        By operator ("sin", "exp", "log", "pow", "div", ...) those that may not stand within it,
        {"sin": ["sin", "cos"]}, or how often each may, {"exp": {"exp": 1}}.
    prices : mapping or None
        What operators count for in the complexity, instead of 1: {"exp": 3}; "add" is each + and -.
    monotone : mapping or None
        By column "increasing" (or 1) or "decreasing" (-1): formulas must not fall, or rise, as it
        moves through its range at any row.
    bounds : (float or None, float or None) or None
        Least and largest value of formulas, at the rows and where one input moves through its
        range. Formulas that break these four limits are neither listed nor chosen.

    Attributes
    ----------
    best_ : Expression
        The formula that :meth:`predict` runs.
    loss_ : str
        The loss by its name: what "auto" was, or "callable".
    constant_loss_ : float
        Mean loss of the best constant, beside which those in `equations_` say what is explained; 1
        if that is 0.
    equations_ : DataFrame
        The Pareto front of all formulas and the ridge regression: complexity (inputs, numbers and
        operations as written), mean loss, cross_validated_loss, equation, expression, kind
        ("search", "constant", "sparse linear model", "linear model"), chosen; under `units` also
        the kind "units", and in the column units the numbers that have one.
    best_units_ : list of (float, str)
        Under `units`, the numbers of the formula that have a unit, and this, which is that of the
        number in units of the columns; otherwise None.
    numbers_ : DataFrame
        The fitted numbers of the formula (after a fit with groups, those common to all), each with
        its standard `error`, both as `printed`, the `unit` under `units`, and in `reads_as` what
        it equals within two standard errors: a fraction, a multiple of pi, a named constant or,
        under `units`, one of nature. Nothing is replaced by that.
    parts_ : dict or None
        After a fit with a template, its functions by their names, as far as the template tells
        them apart (a constant may be in either of f(x0) + g(x1)); None if none fits.
    left_out_ : dict
        How many candidates each of the limits ruled out.
    groups_ : DataFrame
        After a fit with groups: each one's own numbers c0, c1, ..., which are further inputs of
        `best_`, and their standard errors c0_error, ...; see :meth:`formula_of`.
    result_ : Result
        The search; the last one if there were two.
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

    def __init__(
        self,
        *,
        bases: str | Sequence[str] = DEFAULT_BASES,
        depth: int = 4,
        max_terms: int = 5,
        constants: Sequence[float] | Mapping[str, float] = (1.0,),
        max_complexity: int = 30,
        max_functions: int | None = 200_000,
        time_budget: float | None = None,
        folds: int = 5,
        strategy: Mapping[str, Any] | None = None,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: bool = False,
        n_jobs: int | None = None,
        checkpoint: str | Path | None = None,
        loss: str | RowLoss = "auto",
        quantile: float = 0.5,
        units: Units | None = None,
        guesses: Sequence[str | Expression] | str = (),
        template: str | None = None,
        nested: Nested | None = None,
        prices: Mapping[str, int] | None = None,
        monotone: Mapping[str, str | int] | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        super().__init__(
            bases=bases,
            depth=depth,
            max_terms=max_terms,
            constants=constants,
            max_complexity=max_complexity,
            max_functions=max_functions,
            time_budget=time_budget,
            folds=folds,
            strategy=strategy,
            warm_start=warm_start,
            random_state=random_state,
            verbose=verbose,
            n_jobs=n_jobs,
            checkpoint=checkpoint,
        )
        self.loss = loss
        self.quantile = quantile
        self.units = units
        self.guesses = guesses
        self.template = template
        self.nested = nested
        self.prices = prices
        self.monotone = monotone
        self.bounds = bounds

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
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
        groups : array-like of shape (rows,) or None
            Which experiment each row is from: one form for all, some numbers of each group.

        Returns
        -------
        self
        """
        check_columns(X)
        if np.asarray(y).dtype.kind == "b":
            raise ValueError(
                "y is True or False: these are classes, for OccamClassifier; to fit the numbers 0"
                " and 1 give y.astype(float)"
            )
        called = getattr(y, "name", None)
        x, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=2)
        y = np.asarray(y, np.float64)
        units = column_units(
            self.units, getattr(self, "feature_names_in_", None), x.shape[1], called
        )
        weights = self._weights(x, sample_weight)
        names = getattr(self, "feature_names_in_", None)
        names = [f"x{i}" for i in range(x.shape[1])] if names is None else [str(n) for n in names]
        limits = read_limits(names, self.nested, self.prices, self.monotone, self.bounds)
        template = None if self.template is None else read_template(self.template, names)
        wishes = Wishes(units, limits, read_guesses(self.guesses, names), template)
        self._forget_groups()
        if groups is not None:
            self._fit_groups(x, y, weights, groups, self._settings(), wishes)
            return self
        table = sort_rows(x, y[:, None], y, weights)
        say_constant_target(table)
        if self.loss == "auto":
            stages, seeds = self._begin(table)

            def fit(task: Regression, share: float) -> FittedTable:
                own = stages if task.loss.is_squared else stages.part("relative errors")
                return self._fitted(table, task, own, seeds, wishes, share)

            task, fitted = squared_or_relative(table, fit)
        else:
            scale = error_scale(table) if self.loss == "huber" else 0.0
            task = Regression(get_loss(self.loss, table.labels, self.quantile, scale))
            fitted = self._fitted(table, task, *self._begin(table, task), wishes)
        self.loss_ = task.loss.name
        self._take(fitted, table)
        self.left_out_, self.parts_ = dict(self._left_out), self._parts
        self.numbers_ = number_frame(
            self.best_,
            number_errors(self.best_, table, task),
            named_constants(self.constants),
            None if units is None else units.check(self.best_).numbers,
        )
        self.best_units_ = None if units is None else units.numbers(self.best_)
        if units is not None:
            self.equations_["units"] = [units.told(each) for each in self.equations_["expression"]]
        return self

    def predict(self, X: ArrayLike, groups: ArrayLike | None = None) -> Array:
        """Values of the formula, of each row's group if it had any; NaN or inf where undefined."""
        if groups is not None or hasattr(self, "groups_"):
            return self._predict_groups(X, groups)
        return self._evaluate(X)[:, 0]

    def score(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> float:
        """R^2 of the formula; what is not finite counts as the mean of y."""
        predicted, wanted = self.predict(X, groups), np.asarray(y, np.float64)
        weights = None if sample_weight is None else np.asarray(sample_weight, np.float64)
        mean = np.average(wanted, weights=weights)
        finite = np.where(np.isfinite(predicted), predicted, mean)
        return float(r2_score(wanted, finite, sample_weight=sample_weight))


class OccamClassifier(ClassifierMixin, TableEstimator):
    """Classification by short formulas: one per class, or one for two classes.

    Their values are log-odds of the second class, or scores whose softmax gives the probabilities.
    Before anything is searched rules of few terms are found by the likelihood: of inputs, and of
    products, quotients, powers and logarithms of one or two of them. Formulas of the search are
    fitted to the classes' indicators by least squares, then by maximum likelihood. All are compared
    by Brier's score on held-out rows; one of more than `max_complexity` nodes, all outputs
    together, is taken only where the best shorter one is clearly worse: by two standard errors,
    and by a twelfth of what the constant loses.

    Parameters and attributes are those of :class:`OccamRegressor` but for `loss`, `quantile` and
    `units`, with logistic regressions for the linear ones, losses the mean cross-entropy in nats,
    `classes_`, and in `equations_` the share of held-out rows that are told rightly,
    `cross_validated_accuracy`. Complexity is that of all formulas together. Folds are no more than
    the rows of the rarest class.

    Examples
    --------
    >>> import numpy as np
    >>> from occamhead import OccamClassifier
    >>> x = np.random.default_rng(0).normal(size=(300, 3))
    >>> noise = np.random.default_rng(1).normal(size=300)
    >>> y = np.where(2 * x[:, 0] > x[:, 1] + 1 + 0.3 * noise, "bees", "ants")
    >>> model = OccamClassifier(max_functions=2000, random_state=0).fit(x, y)
    >>> print(*model.rule())
    bees if 12*x0 > 6*x1 + 6, otherwise ants
    """

    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> OccamClassifier:
        """Fit the formulas; as :meth:`OccamRegressor.fit`, with y the classes, [rows]."""
        check_columns(X)
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
        table = sort_rows(x[used], targets, labels, weights[used])
        task = Classification(self._settings().operators)
        self._take(self._fitted(table, task, *self._begin(table)), table)
        return self

    def rule(self) -> list[str]:
        """What a person reads: ``bees if 2*x0 > x1 + 1, otherwise ants``.

        Of more classes a score of each, ``bees = 2*x0 - 1``: the largest tells the class.
        """
        check_is_fitted(self, "best_")
        return scores_of_all(self.best_).rule([str(each) for each in self.classes_])

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


__all__ = ["OccamClassifier", "OccamRegressor"]
