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
    body = [
        tag(
            "tr",
            tag("th", row[0], scope="row"),
            *(
                tag("td", cell, data_title=title or None)
                for title, cell in zip(titles[1:], row[1:], strict=True)
            ),
        )
        for row in rows
    ]
    # Of more columns a narrow screen shows each row as lines, under the names of the columns.
    kind = "stacked" if len(titles) > 4 else None
    said = [tag("caption", caption)] if caption else []
    return tag("table", *said, tag("thead", head), tag("tbody", *body), class_=kind)
