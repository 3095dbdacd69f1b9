"""What the report says first: the rule, in symbols and in words, how good it is, and warnings."""

from __future__ import annotations

from collections.abc import Sequence

from occamhead.explain.material import MANY, Material
from occamhead.explain.words import count, in_words, listed, percent
from occamhead.expression.formats.markup import Markup, tag
from occamhead.expression.formats.mathml import mathml_rules
from occamhead.expression.formats.rule import rule_of
from occamhead.expression.formats.weights_picture import weights_of
from occamhead.rows.metrics import wilson_interval

# Features of a rule that is also said in words.
SAID = 12


def opening(material: Material) -> list[Markup]:
    """The rule of two classes, and how often the formulas are right."""
    formula, classes = material.formula, material.classes
    right, rows = int(material.right.sum()), len(material.y)
    size = f"{count(len(formula.features), 'feature')} and {count(formula.operations, 'operation')}"
    said = (
        f"These {in_words(len(classes))} formulas of {size} are the classifier: they tell"
        f" {told_apart(classes)} apart, and are right on "
    )
    first: list[Markup] = []
    if rule_of(formula) is not None:
        said = f"This rule of {size} tells {listed(classes)} apart, and is right on "
        first = [shown_formulas(material), *_words(material)]
    lede = tag(
        "p",
        said,
        tag("strong", f"{right:,} of {count(rows, f'test {material.noun}')}"),
        f" ({percent(right / rows)}; 95 % interval {between(right, rows)}).",
        class_="lede",
    )
    return [*first, lede, *_nec(material), *_warned(material)]


def told_apart(classes: Sequence[str]) -> str:
    """The classes by name, or how many they are."""
    return listed(classes) if len(classes) < MANY else f"{len(classes):,} classes"


def _nec(material: Material) -> list[Markup]:
    """The features of a class; two share one score, and so have the same."""
    if len(material.classes) < 3:
        return []
    nec = material.nec
    said = f"A class reads {nec.mean:.1f} features in the mean (NEC), and at most {nec.most}."
    return [tag("p", said)]


def _warned(material: Material) -> list[Markup]:
    suspects = material.suspects
    if not suspects:
        return []
    names = listed([suspect.name for suspect in suspects])
    link = tag("a", "may look at something other than the class", href="#warnings")
    return [tag("p", tag("strong", "Warning: "), f"{names} ", link, ".")]


def shown_formulas(material: Material) -> Markup:
    """The formulas as mathematics."""
    lines = mathml_rules(material.formula, material.classes)
    return tag("div", *lines, class_="formulas", tabindex="0", role="region", aria_label="Formulas")


def between(right: int, rows: int) -> str:
    """Where the share probably lies (Wilson)."""
    return said_interval(wilson_interval(right, rows))


def said_interval(ends: tuple[float, float]) -> str:
    """``86.0 % to 95.0 %``."""
    return " to ".join(map(percent, ends))


def warnings_section(material: Material) -> list[Markup]:
    """The features that may look at something other than the class."""
    suspects, noun = material.suspects, material.noun
    if not suspects:
        return [
            tag(
                "p",
                f"None: no feature was found that sees the same place of every {noun} rather than"
                " the class.",
            )
        ]
    items = [
        tag("li", tag("strong", suspect.name), ": ", suspect.why, _remedy(suspect.features))
        for suspect in suspects
    ]
    intro = (
        "These features may look at something other than the class: what they tell comes from one"
        f" place of every {noun}. Whether that belongs to the rule, a person decides."
    )
    return [tag("p", intro), tag("ul", *items, class_="warnings")]


def _remedy(features: tuple[int, ...]) -> Markup:
    wanted = ", ".join(map(str, features))
    return tag(
        "p", "The rule without: ", tag("code", f"head.edit(drop=[{wanted}])"), class_="small"
    )


def _words(material: Material) -> list[Markup]:
    """Which features speak for which class, and what they look at; nothing of what is no sum."""
    rule, features = rule_of(material.formula), material.formula.features
    weights = None if rule is None else weights_of(rule.score)
    if weights is None or not 0 < len(features) <= SAID:
        return []
    deviations = material.spread.deviations(features)
    (own,) = weights
    ordered = sorted(own, key=lambda i: -abs(own[i]) * deviations[i])
    sides = []
    for name, sign in zip(material.classes, (-1, 1), strict=True):
        side = [material.called(i) for i in ordered if own[i] * sign > 0]
        if side:
            sides.append(f"for {name} {'speaks' if len(side) == 1 else 'speak'} {listed(side)}")
    said = "; ".join(reversed(sides))
    return [tag("p", f"In words: {said}; what moves the sum most first.")]
