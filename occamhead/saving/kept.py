"""The parts of a run that are done, kept on disk, so that it can go on where it was stopped."""

from __future__ import annotations

import hashlib
import json
import logging
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from occamhead.saving.processes import first_process
from occamhead.saving.sealed import read_sealed, seal
from occamhead.saving.whole import replaced

log = logging.getLogger("occamhead")

FORMAT = "occamhead.kept.1"


class WrongRun(ValueError):
    """What was kept is of another run than the one that is to go on."""


class Kept:
    """Results of the parts of one run, each in a file of its own.

    A part is anything that is computed from the run's arguments alone and takes a while: a row of
    a table, a round of training, a search. What is read back is what was computed, to the bit.

    Args:
        folder: Where the files are; made if need be. None keeps nothing.
        about: What the run is of: whatever its results depend on, as text by name. A folder that
            holds parts of a run about something else is refused.
        writes: Whether this process writes. None lets the first one of a distributed run do so; all
            read.

    Raises:
        WrongRun: If the folder holds the parts of another run; names the first difference.
    """

    def __init__(
        self,
        folder: str | Path | None,
        about: Mapping[str, str] | None = None,
        writes: bool | None = None,
    ) -> None:
        self.folder = None if folder is None else Path(folder)
        self.writes = first_process() if writes is None else writes
        if about is not None:
            self.check(about)

    def check(self, about: Mapping[str, str]) -> None:
        """Note what the run is of, or compare it with what was noted.

        Raises:
            WrongRun: If the folder holds the parts of another run; names the first difference.
        """
        before = self.read("about")
        if before is None:
            self.write("about", dict(about))
            return
        for name in sorted({*before, *about}):
            if before.get(name) != about.get(name):
                raise WrongRun(
                    f"{self.folder} holds an unfinished run with {name} {before.get(name)!r}, and"
                    f" this one has {about.get(name)!r}; give the same, or begin anew elsewhere"
                )

    @property
    def keeps(self) -> bool:
        """Whether anything is kept."""
        return self.folder is not None

    @property
    def empty(self) -> bool:
        """Whether no part is done."""
        return self.folder is None or not any(
            file.name != "about.json" for file in self.folder.glob("*")
        )

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """What a part gives: read, if it was done before; else made, and written.

        Args:
            name: Of the part, unique in the run.
            make: Computes it: what JSON holds, or that and tensors. Tuples become lists and
                numbers of NumPy those of Python, whether read or made.
        """
        found = self.read(name)
        if found is None:
            found = plain(make())
            self.write(name, found)
        return found

    def read(self, name: str) -> Any:
        """What was written as `name`; None if nothing was, or if the file is damaged."""
        if self.folder is None:
            return None
        file = self.folder / f"{_file_name(name)}.json"
        if not file.exists():
            file = file.with_suffix(".pt")
        if not file.exists():
            return None
        try:
            data = _load(file)
        except ValueError as error:
            log.warning("%s: damaged, computed again: %s", file, str(error).partition("\n")[0])
            return None
        if not isinstance(data, dict) or (data.get("format"), data.get("name")) != (FORMAT, name):
            log.warning("%s: not what this version keeps as %s, computed again", file, name)
            return None
        return data["value"]

    def write(self, name: str, value: Any) -> None:
        """Keep a value, in place of what was kept as `name`."""
        if self.folder is None or not self.writes:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / f"{_file_name(name)}.json"
        data = {"format": FORMAT, "name": name, "value": value}
        if not _has_tensors(value):
            with replaced(file) as part:
                part.write_text(json.dumps(data), encoding="utf-8")
                seal(part)
            return
        from occamhead.saving.tensors import save_tensors

        save_tensors(file.with_suffix(".pt"), data)

    def part(self, name: str) -> Kept:
        """The parts of a part."""
        folder = None if self.folder is None else self.folder / _file_name(name)
        return Kept(folder, writes=self.writes)


NOWHERE = Kept(None)
"""Where nothing is kept."""


def plain(value: Any) -> Any:
    """A value as it is read back: lists for tuples, Python's numbers for NumPy's."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "dtype") and getattr(value, "shape", None) == () and not _is_tensor(value):
        return value.item()
    return value


def _load(file: Path) -> Any:
    if file.suffix == ".json":
        return json.loads(read_sealed(file).decode())
    # It takes seconds to load, and rows of a table need none of it.
    from occamhead.saving.tensors import load_tensors

    return load_tensors(file, "a part that was kept")


def _has_tensors(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_tensors, value.values()))
    if isinstance(value, list):
        return any(map(_has_tensors, value))
    return _is_tensor(value)


def _is_tensor(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _file_name(name: str) -> str:
    """A name that any file system takes, and that no other has."""
    safe = "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in name)
    if safe == name and len(name) <= 40:
        return name
    return f"{safe[:40]}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
