"""Small parts that several sections of the page are made of."""

from __future__ import annotations

from collections.abc import Sequence

from occamhead.expression.formats.markup import Markup, tag


def scrolled(content: Markup, label: str) -> Markup:
    """What may be wider than a phone: it moves by itself, and the keyboard can reach it."""
    return tag("div", content, class_="scroll", tabindex="0", role="region", aria_label=label)


def folded(summary: str, *content: object, opened: bool = False, printed: bool = True) -> Markup:
    """What is shown when it is asked for; on paper too, unless it would only fill pages."""
    kind = None if printed else "unprinted"
    return tag("details", tag("summary", summary), *content, open=opened, class_=kind)


def picture(uri: str, alt: str, pixelated: bool) -> Markup:
    """An image of the page."""
    return tag("img", src=uri, alt=alt, class_="pixels" if pixelated else None)


def table(titles: Sequence[str], rows: Sequence[Sequence[object]], caption: str = "") -> Markup:
    """A table whose first column names its rows."""
    head = tag("tr", *(tag("th", title, scope="col") for title in titles))
    # Of more columns a narrow screen shows each row as lines, under the names of the columns.
    stacked = len(titles) > 4

    def cell(title: str, content: object) -> Markup:
        if not stacked or content == "":
            return tag("td", content)
        return tag("td", tag("span", content), data_title=title)

    body = [
        tag("tr", tag("th", row[0], scope="row"), *map(cell, titles[1:], row[1:])) for row in rows
    ]
    said = [tag("caption", caption)] if caption else []
    parts = *said, tag("thead", head), tag("tbody", *body)
    return tag("table", *parts, class_="stacked" if stacked else None)
