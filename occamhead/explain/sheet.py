"""Hundreds of small pictures in a page, each of which is in it once, however often it is shown."""

from __future__ import annotations

from occamhead.explain.views import SMALL, Views, data_uri
from occamhead.expression.formats.markup import Markup, tag


class Sheet:
    """The pictures of a page as backgrounds that its style sheet holds.

    Browsers decode a background when the element comes into view, so that a page of thousands opens
    at once.

    Args:
        views: The pictures of the rows.
    """

    def __init__(self, views: Views) -> None:
        self._views = views
        self._names: dict[str, str] = {}
        self._shown: dict[tuple[int, int | None], str] = {}
        self._kind = _kind(views)

    def show(self, row: int, feature: int, said: str) -> Markup:
        """The picture of a row; with a mark where the feature is, if that is a pixel.

        Of a photograph so small the map of a feature would cover what is to be seen.

        Args:
            row, feature: Which picture.
            said: What is in it, for who cannot see it and for who points at it.
        """
        mark = None if self._views.shape is None else feature
        if (row, mark) not in self._shown:
            uri = data_uri(self._views.image(row, mark, SMALL), self._kind)
            self._shown[row, mark] = self._names.setdefault(uri, f"i{len(self._names)}")
        name = self._shown[row, mark]
        return tag("span", class_=f"i {name}", role="img", aria_label=said, title=said)

    def style(self) -> Markup:
        """The style sheet, once everything is shown."""
        rules = (f".{name}{{background-image:url({uri})}}" for uri, name in self._names.items())
        return Markup("<style>\n" + "\n".join(rules) + "\n</style>")


def _kind(views: Views) -> str:
    """WebP, which is smaller by a third, where Pillow can write it."""
    from PIL import features

    return "WEBP" if views.kind == "JPEG" and features.check("webp") else views.kind
