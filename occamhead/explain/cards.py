"""The report's section on features: what each is worth, and a card with pictures for each."""

from __future__ import annotations

from occamhead.explain.charts import histogram
from occamhead.explain.features import Feature
from occamhead.explain.material import Material
from occamhead.explain.parts import folded, picture, scrolled, table
from occamhead.explain.views import Views
from occamhead.explain.words import count, number, percent, points, signed
from occamhead.expression.formats.markup import Markup, join, tag
from occamhead.expression.formats.mathml import name_mathml

# Lines of the table that are shown at once.
TABLE = 12
# Further cards, folded.
FOLDED = 36


def features_section(material: Material, most_cards: int) -> list[Markup]:
    """The content of the section: a table of all features, and cards of the first ones."""
    features, noun = material.features, material.noun
    if not features:
        return [tag("p", "The formulas use no feature: every class has the same score always.")]
    changing = [feature for feature in features if feature.changed]
    shown, later = changing[:most_cards], changing[most_cards : most_cards + FOLDED]
    if material.views is not None:
        pairs = ((row, f.index) for f in (*shown, *later) for row in (*f.most, *f.least))
        material.views.prepare(pairs)
    intro = (
        f"Measured on the {count(len(material.y), f'test {noun}')}, most important first. Without"
        " a feature means that its training mean stands in its place; changed are the decisions"
        " that this turns round. Shuffled means that its values are exchanged among the"
        f" {noun}s at random (mean of five times)."
    )
    with_cards = {feature.index for feature in (*shown, *later)}
    parts = [tag("p", intro), _table(material, with_cards)]
    if material.views is not None:
        parts.append(tag("p", material.views.legend, class_="small"))
    parts += [_card(feature, material) for feature in shown]
    if later:
        summary = f"The cards of {count(len(later), 'further feature')}"
        parts.append(folded(summary, *(_card(feature, material) for feature in later)))
    if left := len(changing) - len(shown) - len(later):
        parts.append(
            tag("p", f"{count(left, 'further feature')} of less importance, named in the table,"
                " have no card.", class_="small")
        )  # fmt: skip
    if idle := len(features) - len(changing):
        said = "changes" if idle == 1 else "change"
        text = f"{count(idle, 'feature')} {said} no decision on test {noun}s: no card."
        parts.append(tag("p", text, class_="small"))
    return parts


def _table(material: Material, cards: set[int]) -> Markup:
    titles = (
        "Feature",
        "Coefficient in",
        "Without it (points)",
        "Shuffled",
        "Changed",
    )
    rows = [_line(f, material, f.index in cards) for f in material.features]
    first = scrolled(table(titles, rows[:TABLE]), "What the features are worth")
    if len(rows) <= TABLE:
        return first
    rest = scrolled(table(titles, rows[TABLE:]), "What the other features are worth")
    return join([first, folded(f"The other {count(len(rows) - TABLE, 'feature')}", rest)])


def _line(feature: Feature, material: Material, has_card: bool) -> list[object]:
    classes = material.classes
    name, hint = tag("math", name_mathml(feature.name)), material.hint(feature.index)
    where = (classes[k] if c is None else f"{classes[k]}: {signed(c)}" for k, c in feature.users)
    loss = feature.without - feature.accuracy
    kind = "worse" if loss < 0 else "better" if loss > 0 else "same"
    link = tag("a", name, href=f"#{_anchor(feature)}") if has_card else name
    looks_at = [" ", tag("span", hint, class_="small")] if hint else []
    return [
        join([link, *looks_at]),
        join((tag("span", text, class_="whole") for text in where), ", "),
        tag("span", percent(feature.without), " ", tag("span", f"({points(loss)})", class_=kind)),
        percent(feature.shuffled),
        str(feature.changed),
    ]


def _card(feature: Feature, material: Material) -> Markup:
    views = material.views
    where = views.describe(feature.index) if views else ""
    told = material.hint(feature.index) or where
    title = [tag("math", name_mathml(feature.name)), f" · {told}" if told else ""]
    loss = feature.without - feature.accuracy
    facts = [
        *_told(feature, material),
        _uses(feature, material.classes),
        f"Without it {percent(feature.without)} instead of {percent(feature.accuracy)}"
        f" ({points(loss)} points); {count(feature.changed, 'decision')}"
        f" {'changes' if feature.changed == 1 else 'change'}.",
        f"Mean {number(feature.mean, 3)}, standard deviation {number(feature.deviation, 3)}.",
    ]
    chart = tag(
        "figure",
        histogram(feature.edges, feature.shares, material.classes, feature.name),
        tag("figcaption", f"Its values on each class's test {material.noun}s"),
        class_="chart",
    )
    sides = chart
    if views is not None:
        ends = (("highest", feature.most), ("lowest", feature.least))
        pictures = [_strip(material, views, feature, which, rows) for which, rows in ends]
        sides = tag("div", tag("div", *pictures), chart, class_="sides")
    return tag(
        "article",
        tag("h3", *title, id=_anchor(feature)),
        tag("p", " ".join(facts)),
        sides,
        class_="card",
    )


def _told(feature: Feature, material: Material) -> list[str]:
    """For which classes the layer that the formulas replace read the feature most, if known."""
    hints = material.head.hints
    return (
        [f"In the layer that was replaced it spoke most for {hints[feature.index]}."]
        if hints
        else []
    )


def _uses(feature: Feature, classes: tuple[str, ...]) -> str:
    parts = []
    for k, coefficient in feature.users:
        if coefficient is None:
            parts.append(f"inside the formula of {classes[k]}")
        else:
            side = "for" if coefficient > 0 else "against"
            parts.append(f"{side} {classes[k]} ({signed(coefficient)})")
    text = ", ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def _strip(
    material: Material, views: Views, feature: Feature, which: str, rows: tuple[int, ...]
) -> Markup:
    """The pictures at one end of a feature; where many share the lowest value, none stands out."""
    values = material.x[:, feature.index]
    end = values[rows[-1]]
    alike = int((values == end).sum())
    title = f"{which.capitalize()} values"
    if alike > len(rows) and values[rows[0]] == end:
        title = f"{title}: {number(float(end), 3)} in {alike:,} of {len(values):,} {material.noun}s"
        if which == "lowest":
            return tag("h4", title)
    figures = []
    for row in rows:
        value = number(float(values[row]), 3)
        label = material.classes[material.y[row]]
        alt = f"{label}, {material.row_name(row)}: {feature.name} is {value}, among the {which}"
        image = picture(views.marked(row, feature.index), alt, views.pixelated)
        caption = tag("figcaption", tag("strong", label), tag("br"), f"value {value}")
        figures.append(tag("figure", image, caption))
    return join([tag("h4", title), tag("div", *figures, class_="strip")])


def _anchor(feature: Feature) -> str:
    return f"feature-{feature.index}"
