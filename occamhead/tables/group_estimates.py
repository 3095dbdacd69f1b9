"""What ``OccamRegressor`` does with ``groups=``: one form, and numbers of each group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from occamhead.checks import needs
from occamhead.expression import Affine, Apply, Constant, Expression, ExpressionBuilder, Input
from occamhead.tables.fit_table import NUMBERS_ROWS
from occamhead.tables.group_numbers import Shared, Together
from occamhead.tables.grouped import Form, fit_groups, sampled
from occamhead.tables.number_errors import frame_of, named_constants
from occamhead.tables.settings import TableSettings
from occamhead.tables.sorted_rows import SortedRows, sort_rows
from occamhead.tables.warn import warn
from occamhead.tables.wishes import Wishes

if TYPE_CHECKING:
    from occamhead.search.result import Result

Array: TypeAlias = NDArray[np.float64]

# A group of fewer rows does not judge forms.
FEWEST_ROWS = 3


class GroupEstimates:
    """The part of :class:`occamhead.OccamRegressor` that knows groups."""

    groups_: Any
    best_: Expression
    equations_: Any
    numbers_: Any
    left_out_: dict[str, int]
    result_: Result
    best_units_: list[tuple[float, str]] | None

    def formula_of(self, group: Any) -> Expression:
        """The formula of a group, its numbers in place.

        Raises:
            ValueError: If the fit was without groups, or had no such group.
        """
        check_is_fitted(self, "best_")
        if not hasattr(self, "groups_"):
            raise ValueError("the fit had no groups; best_ is the formula of all rows")
        if group not in self.groups_.index:
            raise ValueError(_unknown(group, self.groups_.index))
        own = self.best_.num_inputs - self.n_features_in_  # type: ignore[attr-defined]
        values = self.groups_.loc[group].to_numpy()[::2][:own]
        return _with_values(self.best_, [float(value) for value in values])

    def _forget_groups(self) -> None:
        if hasattr(self, "groups_"):
            del self.groups_, self.result_

    def _fit_groups(
        self,
        x: Array,
        y: Array,
        weights: Array,
        groups: ArrayLike,
        settings: TableSettings,
        wishes: Wishes,
    ) -> None:
        """Fit one form to all groups; sets what a fit offers."""
        if self.loss not in ("auto", "squared"):  # type: ignore[attr-defined]
            raise ValueError("groups are fitted by least squares; leave loss='auto' or 'squared'")
        if self.warm_start:  # type: ignore[attr-defined]
            raise ValueError("a fit with groups cannot go on from another; set warm_start=False")
        if wishes.template is not None:
            raise ValueError("a template is fitted to all rows; leave groups or the template out")
        if wishes.units is not None:
            raise ValueError("units are not checked where there are groups; leave one of them out")
        labels, which = _checked(groups, x)
        names = list(wishes.limits.names)
        parts = []
        for place in range(len(labels)):
            rows = which == place
            mass = weights[rows].sum() / weights.sum()
            if not mass:
                raise ValueError(f"group {labels[place]!r} has no weight in any row; leave it out")
            part = sort_rows(x[rows], y[rows, None], y[rows], weights[rows])
            parts.append(replace(part, weights=part.weights * mass))
        large = [place for place, part in enumerate(parts) if len(part.x) >= FEWEST_ROWS]
        if len(large) < 2:
            raise ValueError(
                f"groups needs two groups of {FEWEST_ROWS} rows or more, got {len(large)}; leave"
                " groups out to fit one law to all rows"
            )
        depends = {"names": repr(names), "groups": repr(labels)}
        stages, seeds = self._stages([x, y, weights, which], depends)  # type: ignore[attr-defined]
        wishes = wishes.on(x, settings.max_complexity)
        found = fit_groups([parts[place] for place in large], settings, seeds, wishes, stages)
        self.left_out_ = dict(wishes.left_out)
        chosen = found.forms[0].shared
        rows_of_each = NUMBERS_ROWS // len(parts)
        shared, errors = _of_all(
            chosen, parts, large, labels, rows_of_each, int(seeds[0]), found.rows
        )
        own = _own_names(len(shared.own), names)
        self.best_ = _named(shared, names, own)
        self.groups_ = _frame(shared, errors, labels, own)
        self.result_, self.n_functions_ = found.result, found.result.functions
        self.equations_ = _equations(found.forms, names)
        common = [(shared.numbers[large[0], p], errors[large[0], p]) for p in shared.common]
        self.numbers_ = frame_of(common, named_constants(self.constants))  # type: ignore[attr-defined]
        self.best_units_ = None

    def _predict_groups(self, X: Any, groups: ArrayLike | None) -> Array:
        """Values of each row's group's formula, [rows]."""
        check_is_fitted(self, "best_")
        x = validate_data(self, X, dtype=np.float64, reset=False)
        if not hasattr(self, "groups_"):
            raise ValueError("the fit had no groups; leave groups out")
        if groups is None:
            raise ValueError(
                "the fit had groups, whose numbers differ; give predict the group of each row, or"
                " take formula_of(group)"
            )
        labels, which = _checked(groups, x)
        found = np.empty(len(x))
        for place, label in enumerate(labels):
            rows = which == place
            found[rows] = self.formula_of(label)(x[rows])[:, 0]
        return found


def _checked(groups: ArrayLike, x: Array) -> tuple[list[Any], NDArray[np.intp]]:
    """The groups, sorted, and which of them each row belongs to."""
    column = column_or_1d(groups)
    check_consistent_length(column, x)
    with needs("pandas", "groups", "tabular"):
        import pandas as pd
    if pd.isna(column).any():
        raise ValueError("groups has missing values; name a group for each row")
    try:
        labels, which = np.unique(column, return_inverse=True)
    except TypeError as reason:
        raise ValueError(f"groups must be all numbers or all text: {reason}") from reason
    return labels.tolist(), which


def _unknown(group: Any, known: Any) -> str:
    shown = ", ".join(repr(each) for each in list(known)[:8]) + (", ..." if len(known) > 8 else "")
    return f"no group {group!r} in the fit; its groups: {shown}"


def _of_all(
    chosen: Shared,
    parts: list[SortedRows],
    large: Sequence[int],
    labels: Sequence[Any],
    most: int,
    seed: int,
    judged: int,
) -> tuple[Shared, Array]:
    """The form with numbers and standard errors of every group, from up to so many rows of each."""
    numbers = np.repeat(np.median(chosen.numbers, axis=0)[None], len(parts), axis=0)
    numbers[list(large)] = chosen.numbers
    parts = [sampled(part, most, seed) for part in parts]
    together = Together(chosen.formula, parts)
    few = [place for place, part in enumerate(parts) if len(part.x) < len(chosen.own)]
    for place in set(range(len(parts))) - set(large) - set(few):
        numbers[place] = together.fit_one(place, numbers[place].tolist(), chosen.own, 30)
    some = [place for place in range(len(parts)) if place not in few]
    fitted = Together(chosen.formula, [parts[place] for place in some])
    shared = replace(chosen, numbers=numbers[some], loss=float(fitted.losses(numbers[some]).sum()))
    # The judged rows were not all of them: what is common is fitted again.
    if judged < sum(len(parts[place].x) for place in some):
        shared = fitted.fit(shared.numbers, chosen.own, chosen.common)
    errors = np.full_like(numbers, np.inf)
    numbers[some], errors[some] = shared.numbers, fitted.errors(shared)
    for place in few:
        numbers[place] = np.median(shared.numbers, axis=0)
        warn(
            f"group {labels[place]!r} has {len(parts[place].x)} of the {len(chosen.own)} rows that"
            " its own numbers need; it gets the medians of the other groups'"
        )
    return replace(shared, numbers=numbers), errors


def _own_names(count: int, names: Sequence[str]) -> list[str]:
    letter = next(each for each in ("c", "k", "own") if not any(_like(each, n) for n in names))
    return [f"{letter}{number}" for number in range(count)]


def _like(letter: str, name: str) -> bool:
    return name.startswith(letter) and name[len(letter) :].isdigit()


def _named(shared: Shared, names: Sequence[str], own: Sequence[str]) -> Expression:
    """The form over the inputs and then the groups' numbers, those that are common in place."""
    order = sorted(shared.own)
    builder = ExpressionBuilder()
    variable = {place: builder.input(len(names) + i) for i, place in enumerate(order)}
    values = shared.numbers[0].tolist()
    made: list[int] = []
    place = 0
    for node in shared.formula.nodes:
        match node:
            case Input(index):
                made.append(builder.input(index))
            case Constant():
                made.append(variable.get(place, builder.constant(values[place])))
                place += 1
            case Affine(_, old):
                constant, terms = 0.0, []
                for _, child in old:
                    factor, number = made[child], values[place]
                    if place in variable:
                        factor, number = builder.apply("mul", variable[place], factor), 1.0
                    terms.append((number, factor))
                    place += 1
                if place in variable:
                    terms.append((1.0, variable[place]))
                else:
                    constant = values[place]
                place += 1
                made.append(builder.affine(constant, terms))
            case Apply(operator, children):
                made.append(builder.apply(operator, *(made[child] for child in children)))
    return builder.build(
        [made[shared.formula.outputs[0]]], len(names) + len(order), [*names, *own]
    ).simplified()


def _with_values(formula: Expression, values: Sequence[float]) -> Expression:
    """The formula with numbers in the place of its last inputs."""
    builder = ExpressionBuilder()
    inputs = formula.num_inputs - len(values)
    nodes = [*map(builder.input, range(inputs)), *map(builder.constant, values)]
    names = None if formula.names is None else formula.names[:inputs]
    return formula.compose(builder.build(nodes, inputs, names)).simplified()


def _frame(shared: Shared, errors: Array, labels: Sequence[Any], own: Sequence[str]) -> Any:
    """Numbers of each group and their standard errors, a row each."""
    import pandas as pd

    columns = {}
    for name, place in zip(own, sorted(shared.own), strict=True):
        columns[name] = shared.numbers[:, place]
        columns[f"{name}_error"] = errors[:, place]
    return pd.DataFrame(columns, index=pd.Index(labels, name="group"))


def _equations(forms: Sequence[Form], names: Sequence[str]) -> Any:
    """The forms as a data frame, shortest first."""
    import pandas as pd

    rows = []
    for place, form in enumerate(forms):
        own = _own_names(len(form.shared.own), names)
        formula = _named(form.shared, names, own)
        rows.append(
            {
                "complexity": formula.complexity,
                "own_numbers": len(own),
                "loss": form.shared.loss,
                "cross_validated_loss": form.held_out,
                "description": form.length,
                "equation": str(formula),
                "expression": formula,
                "kind": form.kind,
                "chosen": place == 0,
            }
        )
    return pd.DataFrame(rows).sort_values("complexity", kind="stable", ignore_index=True)


__all__ = ["GroupEstimates"]
