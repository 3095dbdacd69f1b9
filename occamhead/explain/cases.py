"""The report's sections on single rows: some worked through by numbers, and the mistakes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from occamhead.explain.example import Example, Flip, Score, Term
from occamhead.explain.material import Material
from occamhead.explain.parts import folded, picture, scrolled, table
from occamhead.explain.words import count, number, signed
from occamhead.expression.formats.markup import Markup, join, tag
from occamhead.expression.formats.rule import rule_of

MOST_MISTAKES = 24
# Terms of a score that are shown at once, those that add or take most; letters of a term, and those
# of the start of a longer one.
MOST_TERMS, MOST_LETTERS, START = 12, 80, 32


def examples_section(material: Material) -> list[Markup]:
    """A typical row, the narrowest right decision and the worst mistake, by numbers."""
    noun = material.noun
    if not material.formula.features:
        return [tag("p", "The formulas have no features to fill in.")]
    wins = "the highest score wins"
    if rule_of(material.formula) is not None:
        first, second = material.classes
        wins = f"where it is above 0, the rule says {second}, otherwise {first}"
    intro = (
        "Each term of a score is a coefficient times a value of this"
        f" {noun}; the terms and the constant add up to the score, and {wins}."
    )
    parts = [tag("p", intro)]
    for title, row in _chosen(material):
        parts.append(_worked(title, row, material.example(row), material))
    return parts


def mistakes_section(material: Material) -> list[Markup]:
    """The rows that the formulas get wrong, those with the widest margin first."""
    wrong = np.flatnonzero(~material.right)
    noun = material.noun
    if not len(wrong):
        return [tag("p", f"None among the {count(len(material.y), f'test {noun}')}.")]
    ordered = wrong[np.argsort(-material.margins[wrong], kind="stable")][:MOST_MISTAKES].tolist()
    said = f"{len(wrong):,} of {count(len(material.y), f'test {noun}')}, the surest mistakes first."
    if len(wrong) > len(ordered):
        said += f" {len(wrong) - len(ordered):,} with smaller margins are not shown."
    if material.formula.features:
        said += (
            " Below each: the smallest change of one feature, in standard deviations, that gives"
            " it another class; among the values of training where these suffice."
        )
    figures = [_mistake(row, material) for row in ordered]
    return [tag("p", said), tag("ul", *figures, class_="mistakes")]


def _chosen(material: Material) -> list[tuple[str, int]]:
    right, wrong = np.flatnonzero(material.right), np.flatnonzero(~material.right)
    chosen: list[tuple[str, int]] = []
    if len(right):
        ordered = right[np.argsort(material.margins[right], kind="stable")]
        chosen.append(("A typical decision", int(ordered[len(ordered) // 2])))
        chosen.append(("The narrowest right decision", int(ordered[0])))
    if len(wrong):
        chosen.append(("The surest mistake", int(wrong[material.margins[wrong].argmax()])))
    return chosen


def _worked(title: str, row: int, example: Example, material: Material) -> Markup:
    classes, views = material.classes, material.views
    guess, label = classes[example.predicted], classes[material.y[row]]
    verdict = "right" if guess == label else f"wrong: it is {label}"
    facts = [
        f"{material.row_name(row)}: called {guess}, which is {verdict}. Margin"
        f" {number(example.margin)} over {classes[example.runner_up]}.",
        *_flip_sentences(example, classes),
    ]
    figure = []
    if views is not None:
        image = picture(views.plain(row), f"{label}, {material.row_name(row)}", views.pixelated)
        figure = [tag("figure", image)]
    shown = [example.scores[k] for k in (example.predicted, example.runner_up)]
    if len(classes) == 2:
        shown = [score for score in example.scores if score.terms or score.value]
    largest = max((abs(t.contribution) for score in shown for t in score.terms), default=0.0)
    sums = [_filled_in(score, largest or 1.0) for score in shown]
    return tag(
        "article",
        tag("h3", title),
        tag("div", *figure, tag("p", " ".join(facts)), class_="beside"),
        tag("div", *sums, class_="columns"),
        _all_scores(example, not material.many) if len(classes) > 2 else "",
        _flips(example, classes),
        "" if material.many else _nodes(example),
        class_="card",
    )


def _filled_in(score: Score, largest: float) -> Markup:
    """A score's terms, the largest of many, each with a bar on a scale that ends at `largest`."""
    titles = ("Term", "Coefficient × value", "Adds", "")

    def lines(terms: Sequence[Term]) -> list[list[object]]:
        return [
            [
                _shortened(term.text),
                join([number(term.coefficient), " × ", number(term.value)]),
                number(term.contribution),
                _bar(term.contribution / largest),
            ]
            for term in terms
        ]

    shown: tuple[Term, ...] = score.terms
    rest: tuple[Term, ...] = ()
    if len(score.terms) > MOST_TERMS:
        ordered = sorted(score.terms, key=lambda term: -abs(term.contribution))
        shown, rest = tuple(ordered[:MOST_TERMS]), tuple(ordered[MOST_TERMS:])
    rows = lines(shown)
    left = count(len(rest), "further term")
    if rest:
        adds = math.fsum(term.contribution for term in rest)
        rows.append([left, "", number(adds), _bar(max(-1.0, min(adds / largest, 1.0)))])
    if score.constant or not rows:
        rows.append(["constant", "", number(score.constant), ""])
    rows.append([tag("strong", "score"), "", tag("strong", number(score.value)), ""])
    label = f"The score of {score.name}"
    whole = scrolled(table(titles, rows, score.name), label)
    if not rest:
        return whole
    others = scrolled(table(titles, lines(rest)), f"{label}: the other terms")
    return tag("div", whole, folded(f"The {left} of {score.name}", others, printed=False))


def _shortened(text: str) -> object:
    """A term's text; a long one is said when it is asked for."""
    if len(text) <= MOST_LETTERS:
        return text
    cut = text[:START].rsplit(" ", 1)[0]
    return tag("details", tag("summary", f"{cut} …"), text)


def _bar(size: float) -> Markup:
    kind = "plus" if size > 0 else "minus"
    width = f"{50 * abs(size):.1f}%"
    return tag("span", tag("span", class_=kind, style=f"width:{width}"), class_="balance")


def _all_scores(example: Example, printed: bool) -> Markup:
    rows = [(score.name, number(score.value)) for score in example.scores]
    shown = table(("Class", "Score"), rows)
    title = "The scores of all classes"
    return folded(title, scrolled(shown, title), printed=printed)


def _flip_sentences(example: Example, classes: tuple[str, ...]) -> list[str]:
    if not example.flips:
        return ["No change of one feature flips it."]
    smallest, likely = example.flips[0], example.likely_flip
    said = [f"The smallest change of one feature that flips it: {_change(smallest, classes)}."]
    if smallest.seen is False:
        said = [f"{said[0][:-1]}, but the feature has no such value in training."]
        if likely is not None and likely is not smallest:
            said.append(f"To a value known from training: {_change(likely, classes)}.")
        else:
            said.append("To values known from training, none does.")
    return said


def _change(flip: Flip, classes: tuple[str, ...]) -> str:
    return (
        f"{flip.name} from {number(flip.old)} to {number(flip.new)} ({signed(flip.change)}, or"
        f" {signed(flip.deviations, 3)} standard deviations), then called {classes[flip.becomes]}"
    )


def _flips(example: Example, classes: tuple[str, ...]) -> Markup:
    if len(example.flips) < 2:
        return Markup("")
    rows = [
        (
            flip.name,
            f"{number(flip.old)} → {number(flip.new)}",
            signed(flip.change),
            signed(flip.deviations, 3),
            classes[flip.becomes],
            {True: "yes", False: "no", None: "–"}[flip.seen],
        )
        for flip in example.flips
    ]
    titles = ("Feature", "Value", "Change", "In deviations", "Becomes", "Seen in training")
    return folded("The smallest changes that flip it", scrolled(table(titles, rows), "Changes"))


def _nodes(example: Example) -> Markup:
    rows = [(text, number(value, 6)) for text, value in example.nodes]
    shown = scrolled(table(("Part of the formulas", "Value"), rows), "The value of every part")
    return folded("The value of every part of the formulas", shown, printed=False)


def _mistake(row: int, material: Material) -> Markup:
    views, classes = material.views, material.classes
    label, guess = classes[material.y[row]], classes[material.predicted[row]]
    parts: list[object] = []
    if views is not None:
        alt = f"{label}, taken for {guess}: {material.row_name(row)}"
        parts.append(picture(views.plain(row), alt, views.pixelated))
    lines: list[object] = [
        tag("strong", label), f", called {guess}", tag("br"),
        f"margin {number(float(material.margins[row]), 3)}",
    ]  # fmt: skip
    flip = material.example(row, most_flips=1).likely_flip
    if flip is not None:
        lines += [tag("br"), f"{flip.name} {signed(flip.deviations, 2)} sd"]
    if views is None:
        lines += [tag("br"), material.row_name(row)]
    return tag("li", tag("figure", *parts, tag("figcaption", *lines)))
