"""A file of names for features: written by a run, edited by hand, read by the next."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from occamhead.heads.base import SymbolicHead
from occamhead.saving import write_whole

NAMES = "names.yaml"
_HEADER = """\
# What the features of the formula are called, by number. Where nobody has named one, these are
# the classes for which the layer that the formula replaces read it most.
# Put better names, and run again with --names and this file.
"""


def read_names(path: str | Path) -> dict[str, str]:
    """The names in a file of lines such as ``538: fuzzy body``.

    Raises:
        ValueError: If it holds anything else.
        FileNotFoundError: If there is no such file.
    """
    import yaml

    # All that this loader knows are texts, lists and dictionaries.
    try:
        found = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as reason:
        raise ValueError(f"{path}: not a file of names: {reason}") from reason
    if found in (None, ""):
        return {}
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found.values()):
        raise ValueError(f"{path}: wanted lines such as 538: fuzzy body, got {str(found)[:60]}")
    return {f"x{key}" if key.isdigit() else key: name for key, name in found.items()}


def write_names(path: Path, head: SymbolicHead, features: Iterable[int]) -> None:
    """Write what some features of a head are called, or look at, or their numbers."""
    import yaml

    told = {i: head.words(i) or f"x{i}" for i in features}
    text = yaml.safe_dump(told, allow_unicode=True, sort_keys=False, width=1000) if told else ""
    write_whole(path, _HEADER + text)
