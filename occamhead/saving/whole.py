"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replaced(path: str | Path) -> Iterator[Path]:
    """A file to write beside `path`, which it replaces when all went well.

    Whatever stops the writing, an error or the end of the process, what stood at `path` stays. The
    content is on the disk before it takes the old one's place.

    Args:
        path: The file that is to hold the new content; its folder must exist.

    Yields:
        The file to write to, in the same folder and with the same suffix.

    Raises:
        OSError: If it cannot be written; names the file.
    """
    path = Path(path)
    part = path.with_name(f"{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield part
        flush(part)
        os.replace(part, path)
    except OSError as error:
        # As where there is no room; what has no number is not of a file, but of a download.
        if error.filename is None and error.errno is not None:
            error.filename = str(path)
        raise
    finally:
        part.unlink(missing_ok=True)
    flush(path.parent)


def write_whole(path: str | Path, text: str) -> None:
    """Write a text in UTF-8, whole or not at all; see :func:`replaced`."""
    with replaced(path) as part:
        part.write_text(text, encoding="utf-8")


def flush(path: Path) -> None:
    """Wait until the disk has a file, or the names in a folder."""
    # Not every system opens folders, and not every file system flushes them.
    folder = path.is_dir()
    with suppress(OSError) if folder else _nothing():
        number = os.open(path, os.O_RDONLY if folder else os.O_RDWR)
        try:
            os.fsync(number)
        finally:
            os.close(number)


@contextmanager
def _nothing() -> Iterator[None]:
    yield
