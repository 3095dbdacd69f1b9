"""Formulas as one SQL query."""

from __future__ import annotations

from collections.abc import Sequence

from occamhead.expression.formats.rule import rule_of
from occamhead.expression.formats.source import (
    check_classes,
    folded,
    number,
    one_line,
    weighted_sum,
)
from occamhead.expression.formats.walk import Writer, count_uses
from occamhead.expression.graph import Graph

# SQLite keeps some 100 words on its stack while it reads, of which a form may have eight.
LEVELS = 10
_INFINITY = "9e999"  # how SQLite itself prints it

# NULL stands for NaN: arithmetic hands both on, and a comparison with either is not true. What
# differs is said by a CASE. Every argument that is named twice is a column of its own.
_FORMS = {
    "mul": "({0} * {1})",
    "div": (
        f"CASE WHEN {{1}} <> 0 THEN {{0}} / {{1}} WHEN {{1}} = 0 AND {{0}} > 0 THEN {_INFINITY}"
        f" WHEN {{1}} = 0 AND {{0}} < 0 THEN -{_INFINITY} END"
    ),
    "floordiv": (
        f"CASE WHEN {{1}} <> 0 THEN floor({{0}} / {{1}}) WHEN {{1}} = 0 AND {{0}} > 0 THEN"
        f" {_INFINITY} WHEN {{1}} = 0 AND {{0}} < 0 THEN -{_INFINITY} END"
    ),
    "mod": "({0} - {1} * floor({0} / {1}))",
    "pow": "CASE WHEN {1} = 0 OR {0} = 1 THEN 1.0 ELSE pow({0}, {1}) END",
    "abs": "abs({0})",
    "sin": "sin({0})",
    "cos": "cos({0})",
    "exp": "exp({0})",
    "log": f"CASE WHEN {{0}} > 0 THEN ln({{0}}) WHEN {{0}} = 0 THEN -{_INFINITY} END",
    "tanh": "tanh({0})",
    "sigmoid": (
        "CASE WHEN {0} >= 0 THEN 1.0 / (1.0 + exp(-{0})) ELSE exp({0}) / (1.0 + exp({0})) END"
    ),
    "le": "CASE WHEN {0} <= {1} THEN 1.0 ELSE 0.0 END",
    "lt": "CASE WHEN {0} < {1} THEN 1.0 ELSE 0.0 END",
    "ge": "CASE WHEN {0} >= {1} THEN 1.0 ELSE 0.0 END",
    "gt": "CASE WHEN {0} > {1} THEN 1.0 ELSE 0.0 END",
    "eq": "CASE WHEN {0} = {1} THEN 1.0 ELSE 0.0 END",
    "ne": "CASE WHEN {0} = {1} THEN 0.0 ELSE 1.0 END",
    "xor": (
        "CASE WHEN {0} = 0 THEN CASE WHEN {1} = 0 THEN 0.0 ELSE 1.0 END"
        " WHEN {1} = 0 THEN 1.0 ELSE 0.0 END"
    ),
    "where": "CASE WHEN {0} = 0 THEN {2} ELSE {1} END",
}
_BREAK = ",\n  "


def to_sql(
    expression: Graph,
    table: str = "features",
    keep: Sequence[str] = (),
    classes: Sequence[str] = (),
) -> str:
    """One SELECT that gives, per row of a table, the scores ``score_0``, ... and the ``class``.

    Written for SQLite 3.35 or later (operators such as exp and % need its mathematical functions,
    which it has unless it was built without). The table needs the columns that the formulas use,
    named as the inputs, and no others; whole numbers in them are read as floats. NULL is NaN,
    both ways: a NULL in a column counts as NaN, and a score that is NaN is NULL. As everywhere,
    NaN counts as the highest score, and the first of equals is the class. SQL knows one zero: a
    number divided by it is infinite with the number's sign. SQLite refuses sums of more than some
    990 terms.

    Args:
        expression: The formulas.
        table: Name of the table.
        keep: Columns of the table to hand on, such as a key.
        classes: A name per output; with them comes a column ``class_name``.

    Raises:
        ValueError: If there are classes, but not one per output, two columns differ in no more than
            upper and lower case, or an operator has no SQL form.
    """
    check_classes(expression, classes)
    _check_columns(expression)
    writer = _SqlWriter(expression)
    results = [form for form, _ in writer.write()]
    inputs = [f"r.{_quoted(column)} AS k{i}" for i, column in enumerate(keep)]
    inputs += [
        f"CAST(r.{_quoted(expression.input_name(i))} AS DOUBLE PRECISION) AS x{i}"
        for i in expression.features
    ]
    steps = [f"inputs AS ({_select(inputs or ['1 AS one'], f'{_quoted(table)} AS r')})"]
    # MATERIALIZED: otherwise a column that is used twice is computed twice, and so are those below.
    before = "inputs"
    for level, columns in enumerate(writer.levels):
        steps.append(f"step{level} AS MATERIALIZED ({_select(['*', *columns], before)})")
        before = f"step{level}"
    scores = [f"score_{k}" for k in range(len(results))]
    defined = [
        f"{folded(result, indent=4)} AS {score}"
        for score, result in zip(scores, results, strict=True)
    ]
    steps.append(f"scored AS MATERIALIZED ({_select(['*', *defined], before)})")
    rule = rule_of(expression)
    last, said, choice = "scored", "", _above
    if rule is None:
        best = f"{_extreme('max', scores)} AS best"
        steps.append(f"ranked AS MATERIALIZED ({_select(['*', best], last)})")
        last, choice = "ranked", _highest
    else:
        words = folded(one_line(rule.text(classes)), indent=3)
        said = f"-- {words}\n".replace("\n   ", "\n-- ")
    chosen = [f"k{i} AS {_quoted(column)}" for i, column in enumerate(keep)]
    chosen += [*scores, f"{choice([str(k) for k in range(len(scores))])} AS class"]
    if classes:
        chosen.append(f"{choice([_text(name) for name in classes])} AS class_name")
    return f"{said}WITH\n" + ",\n".join(steps) + f"\n{_select(chosen, last)};\n"


def _check_columns(expression: Graph) -> None:
    """SQLite would read one column for both."""
    places: dict[str, str] = {}
    for name in map(expression.input_name, expression.features):
        if (other := places.setdefault(name.casefold(), name)) != name:
            raise ValueError(
                f"SQL does not tell the columns {other!r} and {name!r} apart; rename one"
            )


class _SqlWriter(Writer[tuple[str, int]]):
    """Each node's form, and how many levels of named columns must be there before it."""

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph, count_uses(graph, _template), LEVELS)
        self.levels: list[list[str]] = []  # definitions of what is named more than once

    def input(self, index: int) -> tuple[str, int]:
        return f"x{index}", 0

    def constant(self, value: float) -> tuple[str, int]:
        return number(value), 0

    def affine(self, constant: float, terms: Sequence[tuple[float, int]]) -> tuple[str, int]:
        form = weighted_sum(constant, [(c, self.forms[child][0]) for c, child in terms])
        return f"({form})", max(self.forms[child][1] for _, child in terms)

    def apply(self, operator: str, children: Sequence[int]) -> tuple[str, int]:
        template = _template(operator, len(children))
        form = template.format(*(self.forms[child][0] for child in children))
        return form, max(self.forms[child][1] for child in children)

    def named(self, form: tuple[str, int]) -> tuple[str, int]:
        text, depth = form
        name = f"t{len(self.forms)}"
        if depth == len(self.levels):
            self.levels.append([])
        self.levels[depth].append(f"{folded(text, indent=4)} AS {name}")
        return name, depth + 1


def _template(name: str, count: int) -> str:
    if name in ("max", "min"):
        return _extreme(name, [f"{{{i}}}" for i in range(count)])
    if name == "choose":
        cases = [f"WHEN {number} THEN {{{number + 1}}}" for number in range(count - 1)]
        return f"(CASE {{0}} {' '.join(cases)} END)"
    if name not in _FORMS:
        raise ValueError(
            f"operator {name!r} has no SQL form; known: max, min, choose, {', '.join(_FORMS)}."
            " Export the formula as .py instead"
        )
    return f"({_FORMS[name]})" if _FORMS[name].startswith("CASE") else _FORMS[name]


def _extreme(name: str, arguments: list[str]) -> str:
    """Of any number of arguments; SQLite takes at most 127 at a time."""
    while len(arguments) > 1:
        groups = [arguments[i : i + 100] for i in range(0, len(arguments), 100)]
        arguments = [f"{name}({', '.join(group)})" if group[1:] else group[0] for group in groups]
    return arguments[0]


def _above(names: Sequence[str]) -> str:
    """Of two classes the second if its score is above 0, or NaN."""
    return f"CASE WHEN score_1 > 0 OR score_1 IS NULL THEN {names[1]} ELSE {names[0]} END"


def _highest(names: Sequence[str]) -> str:
    """The first class whose score is NaN, or else the first whose score is the highest."""
    cases = [f"WHEN score_{k} IS NULL THEN {name}" for k, name in enumerate(names)]
    cases += [f"WHEN score_{k} = best THEN {name}" for k, name in enumerate(names)]
    lines = "\n    ".join(cases)
    return f"CASE\n    {lines}\n  END"


def _select(columns: Sequence[str], source: str) -> str:
    return f"SELECT\n  {_BREAK.join(columns)}\nFROM {source}"


def _quoted(name: str) -> str:
    """A name as SQL takes it, whatever is in it.

    Columns are named as ``r."name"``, never alone: SQLite reads a quoted name that no column has
    as a text.
    """
    if "\0" in name:
        raise ValueError(f"SQL cannot name {name!r}; rename it without the zero byte")
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _text(value: str) -> str:
    if "\0" in value:
        raise ValueError(f"SQL cannot write {value!r}; rename the class without the zero byte")
    doubled = value.replace("'", "''")
    return f"'{doubled}'"
