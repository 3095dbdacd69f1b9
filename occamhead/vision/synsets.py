"""Words for ImageNet's class folders, which are called by WordNet's numbers."""

import functools
import importlib.util
import re
from collections.abc import Sequence
from pathlib import Path

# Those of the tasks that are known by name here, whatever is installed.
SYNSETS = {
    "n03770679": "minivan",
    "n02346627": "porcupine",
    "n02102040": "English springer",
    "n03417042": "garbage truck",
}


def class_words(folders: Sequence[str]) -> tuple[str, ...]:
    """What classes are called whose folders have these names.

    A number of WordNet, such as n02102040, becomes the first of its words, here "English springer",
    which timm brings along; without timm only those of :data:`SYNSETS` are known. All other names
    stay as they are, and so does a number whose word another class has: "crane (n03126707)".

    Example:
        >>> from occamhead.vision.synsets import class_words
        >>> class_words(["n02102040", "bees"])
        ('English springer', 'bees')
    """
    words = [synset_word(name) for name in folders]
    return tuple(
        word if word == name or words.count(word) == 1 else f"{word} ({name})"
        for name, word in zip(folders, words, strict=True)
    )


def synset_word(name: str) -> str:
    """The first word for a number of WordNet; other names as they are."""
    if not re.fullmatch(r"n\d{8}", name):
        return name
    return SYNSETS.get(name) or _lemmas().get(name, name)


@functools.cache
def _lemmas() -> dict[str, str]:
    """The first word of each noun of ImageNet, from the file that timm brings along."""
    # Found and not imported: timm takes seconds to load.
    timm = importlib.util.find_spec("timm")
    places = timm.submodule_search_locations if timm else None
    file = Path(next(iter(places or [""]))) / "data" / "_info" / "imagenet_synset_to_lemma.txt"
    if not file.is_file():
        return {}
    lines = file.read_text(encoding="utf-8").splitlines()
    return {name: words.split(",")[0] for name, words in (line.split("\t") for line in lines)}
