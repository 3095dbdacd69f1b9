"""The sections of a page of many classes: a card for each, what they share, what parts them."""

from __future__ import annotations

from occamhead.explain.finding import search_box
from occamhead.explain.many import NAMED, SHOWN, Many
from occamhead.explain.opening import between
from occamhead.explain.parts import folded, scrolled, table
from occamhead.explain.words import count, percent, signed
from occamhead.expression.formats.markup import Markup, join, tag
from occamhead.expression.formats.mathml import mathml_lines
from occamhead.heads.neighbours import Neighbours, one_feature_apart

# Lines of a list that are shown at once, and in all; the same of a table of confusions at once.
FIRST, MOST, PAIRS = 24, 600, 10


def classes_section(many: Many) -> list[Markup]:
    """A box to search, all classes by name, and their cards."""
    classes, views = many.material.classes, many.material.views
    ordered = sorted(range(len(classes)), key=lambda k: classes[k].casefold())
    names = tag("ul", *(tag("li", many.link(k)) for k in ordered), class_="names")
    noun = many.material.noun
    said = "The class with the highest score wins."
    if views is not None:
        said += (
            f" Beside each feature that a class reads: the test {noun}s in which it is highest, and"
            " the classes in which it is highest in the mean; what moves the score most comes"
            f" first.{f' {views.legend}' if views.shape else ''}"
        )
    cards = [_card(many, k) for k in range(len(classes))]
    return [
        tag("p", said, class_="small"),
        search_box("Find a class or feature"),
        folded(f"All {len(classes):,} classes by name", names, printed=False),
        tag("div", *cards, class_="classes"),
    ]


def _card(many: Many, k: int) -> Markup:
    material, own = many.material, many.reads[k]
    name = material.classes[k]
    features = [material.called(feature) for feature, _ in own]
    words = " ".join([name, *features]).lower()
    (*parts, last) = mathml_lines(material.formula[k], [name])
    lines = [
        tag("p", tag("math", line.name, tag("mo", "=")), " ", join(line.pieces, " "))
        for line in parts
    ]
    lines.append(tag("p", tag("math", tag("mtext", "score"), tag("mo", "=")), " ",
                     join(last.pieces, " ")))  # fmt: skip
    shown = [_read(many, k, feature, weight) for feature, weight in own[:SHOWN]]
    left = len(own) - len(shown)
    rest = f"{count(left, 'further feature')} in the formula, which move the score less."
    return tag(
        "article",
        tag("h3", name),
        tag("p", _rates(many, k), class_="small"),
        tag("div", *lines, class_="sum", tabindex="0", role="region",
            aria_label=f"The formula of {name}"),
        tag("ul", *shown, class_="reads") if shown else "",
        tag("p", rest, class_="small") if left else "",
        tag("p", *_taken_for(many, k)),
        class_="card",
        id=f"class-{k}",
        data_find=words,
    )  # fmt: skip


def _rates(many: Many, k: int) -> str:
    counts, noun = many.material.confusions, many.material.noun
    right, rows, called = int(counts[k, k]), int(counts[k].sum()), int(counts[:, k].sum())
    if not rows:
        return f"There is no test {noun} of it."
    said = f"Found: {right:,} of {count(rows, noun)} ({percent(right / rows)}; 95 % interval"
    said += f" {between(right, rows)}). "
    if not called:
        return f"{said}None is called so."
    return f"{said}Of {called:,} called so {percent(right / called)} are."


def _read(many: Many, k: int, feature: int, weight: float | None) -> Markup:
    """A feature that a class reads: pictures of it, and what it says for or against the class."""
    material = many.material
    kind, said = "", "inside the formula"
    if weight is not None:
        kind, said = ("plus", "for it") if weight > 0 else ("minus", "against it")
        said = f"{said}, {signed(weight, 3)}"
    hint = material.hint(feature)
    lines = [
        tag("strong", many.feature(feature), class_=kind), f" {said}",
        tag("br"), tag("span", _highest(many, feature, hint), class_="small"),
    ]  # fmt: skip
    others = [j for j, _ in many.users[feature] if j != k]
    if others:
        lines += [tag("br"), tag("span", *_also(many, feature, others), class_="small")]
    return tag("li", many.pictures(feature), tag("span", *lines, class_="said"))


def _also(many: Many, feature: int, others: list[int]) -> list[object]:
    if len(others) <= NAMED:
        return ["also read by ", many.links(others)]
    return ["also read by ", tag("a", f"{len(others)} classes", href=f"#feature-{feature}")]


def _highest(many: Many, feature: int, hint: str) -> Markup:
    names = many.links(many.highest(feature))
    return join([f"{hint}; " if hint else "", "highest in ", names])


def _taken_for(many: Many, k: int) -> list[object]:
    confused = many.confused(k)[:NAMED]
    if not confused:
        return ["Never taken for another class."]
    links = (join([many.link(j), f" ({rows:,})"]) for j, rows in confused)
    return [tag("strong", "Taken for"), " ", join(links, ", "), "."]


def shared_section(many: Many) -> list[Markup]:
    """The features that several classes read, those of most classes first."""
    shared = sorted(
        (feature for feature, users in many.users.items() if len(users) > 1),
        key=lambda feature: (-len(many.users[feature]), feature),
    )
    alone = len(many.users) - len(shared)
    if not shared:
        return [tag("p", f"None: each of {alone:,} is read by one class alone.")]
    said = (
        f"Of the {len(many.users):,} features {len(shared):,} {_are(len(shared))} read by several"
        f" classes, {alone:,} by one alone."
    )
    return [tag("p", said), *_list([_shared(many, feature) for feature in shared], "reads shared")]


def _shared(many: Many, feature: int) -> Markup:
    sides = []
    for side, sign in (("For", 1), ("Against", -1)):
        users = [k for k, c in many.users[feature] if c is not None and c * sign > 0]
        if users:
            sides.append(join([tag("strong", side), " ", many.links(users)]))
    if inside := [k for k, c in many.users[feature] if not c]:
        sides.append(join([tag("strong", "Inside"), " the formula of ", many.links(inside)]))
    name = many.material.formula.input_name(feature)
    lines = [
        tag("strong", name), f": {len(many.users[feature]):,} classes. ", join(sides, ". "), ".",
        tag("br"), tag("span", _highest(many, feature, many.material.hint(feature)),
                       class_="small"),
    ]  # fmt: skip
    return tag("li", many.pictures(feature), tag("span", *lines, class_="said"),
               id=f"feature-{feature}")  # fmt: skip


def apart_section(many: Many) -> list[Markup]:
    """The pairs of classes whose formulas differ in one feature."""
    pairs = one_feature_apart(many.material.head)
    if not pairs:
        return [tag("p", "No two formulas differ in one feature alone.")]
    ordered = sorted(pairs, key=lambda p: (p.first_reads is None) + (p.second_reads is None))
    said = (
        f"The formulas of {count(len(pairs), 'pair')} of classes read the same features with the"
        " same signs, but for one."
    )
    lines = [tag("li", *_apart(many, pair)) for pair in ordered[:MOST]]
    more = f"{len(pairs) - MOST:,} more are not listed." if len(pairs) > MOST else ""
    return [tag("p", said), *_list(lines, "apart"), tag("p", more, class_="small") if more else
            Markup("")]  # fmt: skip


def _apart(many: Many, pair: Neighbours) -> list[object]:
    first, second = many.link(pair.first), many.link(pair.second)
    own, other = pair.first_reads, pair.second_reads
    said: list[object] = [first, " and ", second, ": "]
    if own is None and other is None:
        return [*said, "nothing but numbers tells them apart."]
    if own == other and own is not None:
        return [*said, many.feature(own), " with another sign."]
    sides = [
        join([name, " reads ", many.feature(feature)])
        for name, feature in ((first, own), (second, other))
        if feature is not None
    ]
    return [*said, join(sides, ", "), "." if len(sides) > 1 else ", and the other does not."]


def confusions_part(many: Many) -> list[Markup]:
    """The pairs that are confused most, and how much of each class is found."""
    material = many.material
    classes, counts = material.classes, material.confusions
    pairs = sorted(
        ((rows, k, j) for k in range(len(classes)) for j, rows in many.confused(k)),
        key=lambda pair: (-pair[0], pair[1:]),
    )
    lines = [
        (many.link(k), many.link(j), f"{rows:,} of {int(counts[k].sum()):,}")
        for rows, k, j in pairs[:FIRST]
    ]
    titles = ("Is", "Called", f"Test {material.noun}s")
    parts = [scrolled(table(titles, lines[:PAIRS]), "Confusions")]
    if lines[PAIRS:]:
        more = scrolled(table(titles, lines[PAIRS:]), "More confusions")
        parts.append(folded(f"The next {len(lines) - PAIRS}", more))
    recalls = [(counts[k, k] / n, k) for k, n in enumerate(counts.sum(axis=1)) if n]
    found = [
        (many.link(k), percent(recall), between(int(counts[k, k]), int(counts[k].sum())))
        for recall, k in sorted(recalls)
    ]
    mean = percent(sum(recall for recall, _ in recalls) / len(recalls))
    titles = ("Class", "Found (recall)", "95 % interval")
    return [
        tag("p", "The pairs of classes that are confused most.", class_="small"),
        *parts,
        tag("p", f"Balanced accuracy, the mean of what is found of each class: {mean}."),
        folded("How much of each class is found, the least first",
               scrolled(table(titles, found), "Found of each class"), printed=False),
    ]  # fmt: skip


def _list(lines: list[Markup], kind: str) -> list[Markup]:
    """The first of many at once, the others folded."""
    parts = [tag("ul", *lines[:FIRST], class_=kind)]
    if rest := lines[FIRST:]:
        parts.append(folded(f"The other {len(rest):,}", tag("ul", *rest, class_=kind)))
    return parts


def _are(amount: int) -> str:
    return "is" if amount == 1 else "are"
