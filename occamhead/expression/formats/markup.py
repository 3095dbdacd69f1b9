"""HTML, MathML and SVG written so that no text can become markup."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

_VOID = frozenset({"br", "hr", "img", "input", "meta"})
# What HTML has no place for, control characters other than the white ones; and what would turn the
# direction of all that follows.
_CONTROL = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


class Markup(str):
    """Text that is markup already; any other text is escaped on its way in."""

    __slots__ = ()


def escape(text: object) -> Markup:
    """Any text as markup; what is markup already stays as it is."""
    if isinstance(text, Markup):
        return text
    # File names need not be valid UTF-8, and a page must be.
    sound = str(text).encode("utf-8", "replace").decode("utf-8")
    return Markup(html.escape(_CONTROL.sub("\ufffd", sound)))


def join(parts: Iterable[object], between: str = "") -> Markup:
    """Several texts in a row, each escaped."""
    return Markup(escape(between).join(escape(part) for part in parts))


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """An element.

    Args:
        name: The element's name.
        children: Texts, which are escaped, and markup.
        attributes: `class_="note"` is class="note", `aria_label` aria-label; True gives the bare
            name, None and False leave the attribute out.

    Example:
        >>> from occamhead.expression.formats.markup import tag
        >>> print(tag("a", "1 < 2", href="#x", class_="note"))
        <a href="#x" class="note">1 &lt; 2</a>
    """
    given = "".join(
        f" {_attribute(key)}" if value is True else f' {_attribute(key)}="{escape(value)}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _VOID:
        return Markup(f"<{name}{given}>")
    return Markup(f"<{name}{given}>{join(children)}</{name}>")


def _attribute(key: str) -> str:
    return key.rstrip("_").replace("_", "-")
