"""Do photographs that excite a feature show the classes for which the old classifier read it?

``python -m recipes.naming --data DIR`` fits rules to pairs of classes of DIR, a folder of train/
and val/ whose class folders bear WordNet's numbers, such as Tiny ImageNet's. Of each feature in use
it looks at the nine photographs in val/ that excite it most: do they show one of the three classes
that the feature is named after, or a sibling of it in WordNet's tree? Three classes at random stand
beside. The old classifier names 1000 classes, of which DIR may show few, so that names among those
that it shows are judged as well, and all features beside those in use.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from occamhead.commands.flags import add_backbone, positive
from occamhead.commands.output import quieten
from occamhead.commands.results import results_run
from recipes.shared.flags import recipe_parser

# Where Debian's package wordnet-base puts it.
USUAL = Path("/usr/share/wordnet/data.noun")


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the recipe; returns what it writes to results.json."""
    parser = recipe_parser("naming", __doc__)
    add_backbone(parser, picture_size=128)
    add = parser.add_argument
    add("--data", required=True, help="folder with train/ and val/ of WordNet's class folders")
    add("--pairs", type=positive, default=10, help="pairs of classes to fit rules to; default 10")
    add("--also", nargs="*", default=[], metavar="DIR", help="folders of two classes to fit to")
    add("--wordnet", type=Path, default=USUAL, metavar="FILE",
        help=f"WordNet 3.0's data.noun, for siblings; default {USUAL}")  # fmt: skip
    add("--seed", type=int, default=0, help="of the pairs, and of what is drawn at random")
    args = parser.parse_args(argv)
    quieten()
    with results_run(args, "naming") as run:
        # What takes seconds to load comes after the flags, so that --help does not wait for it.
        from recipes.features.naming import results_of

        return run.finish(results_of(args))


if __name__ == "__main__":
    main()
