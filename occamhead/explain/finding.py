"""The box that finds classes among many, and the lines of script that it takes.

Without a script the box is not there; the page has all classes by name, and a browser's own search.
"""

from __future__ import annotations

from occamhead.expression.formats.markup import Markup, tag

SCRIPT = """
const part = document.querySelector(".find"), box = part.querySelector("input");
const cards = [...document.querySelectorAll("[data-find]")];
function find() {
  const words = box.value.toLowerCase().split(/\\s+/).filter(Boolean);
  for (const card of cards)
    card.hidden = !words.every(word => card.dataset.find.includes(word));
  const shown = cards.filter(card => !card.hidden).length;
  part.querySelector("output").value = words.length ? `${shown} of ${cards.length}` : "";
}
function uncover() {
  const target = document.getElementById(location.hash.slice(1));
  const card = target?.closest("[data-find][hidden]"), folded = target?.closest("details");
  if (card) { box.value = ""; find(); }
  if (folded) folded.open = true;
  if (card || folded) target.scrollIntoView();
}
part.hidden = false;
box.addEventListener("input", find);
addEventListener("hashchange", uncover);
find();
uncover();
"""


def search_box(label: str) -> Markup:
    """What is typed leaves those elements that have all its words in their ``data-find``."""
    return tag(
        "div",
        tag("label", label, for_="find"),
        tag("input", type="search", id="find", autocomplete="off"),
        tag("output", for_="find"),
        class_="find",
        role="search",
        hidden=True,
    )


def script() -> Markup:
    """The script, for the end of the page."""
    return Markup(f"<script>{SCRIPT}</script>")
