"""Pictures that a list of names asks for, in a folder or an archive; nothing is unpacked."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from lzma import LZMAError
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from occamhead.vision.decoding import UNREADABLE, as_rgb
from occamhead.vision.pictures import PictureFiles, Pictures
from occamhead.vision.sources import find

# Bytes of pictures that are read from an archive at most.
MOST = 2 << 30


class PictureNames(Pictures):
    """Pictures of which only names and classes are known."""

    def picture(self, index: int) -> Image.Image:
        raise ValueError(f"{self.names[index]}: this picture is not at hand; say where it is")

    def subset(self, indices: Sequence[int] | NDArray[np.int64]) -> PictureNames:
        names = [self.names[i] for i in indices]
        return PictureNames(names, self.labels[indices], self.classes, self.skipped)

    def fingerprint(self) -> str:
        return hashlib.sha256("\0".join(self.names).encode()).hexdigest()


class PictureBytes(Pictures):
    """Picture files that are held in memory, and decoded when asked for.

    Args:
        files: The bytes of each.
        names, labels, classes, skipped: As for `Pictures`.
    """

    def __init__(
        self,
        files: Sequence[bytes],
        names: Sequence[str],
        labels: Sequence[int] | NDArray[np.int64],
        classes: Sequence[str],
        skipped: Sequence[str] = (),
    ) -> None:
        super().__init__(names, labels, classes, skipped)
        self.files = tuple(files)

    def picture(self, index: int) -> Image.Image:
        try:
            with Image.open(io.BytesIO(self.files[index])) as image:
                return as_rgb(image)
        except UNREADABLE as reason:
            raise ValueError(
                f"{self.names[index]}: no picture that can be read ({reason}); mend it, or leave"
                " the photographs out"
            ) from reason

    def subset(self, indices: Sequence[int] | NDArray[np.int64]) -> PictureBytes:
        files, names = [self.files[i] for i in indices], [self.names[i] for i in indices]
        return PictureBytes(files, names, self.labels[indices], self.classes, self.skipped)

    def fingerprint(self) -> str:
        digest = hashlib.sha256()
        for file in self.files:
            digest.update(hashlib.sha256(file).digest())
        return digest.hexdigest()


def named_pictures(
    place: str | Path,
    names: Sequence[str],
    labels: NDArray[np.int64],
    classes: Sequence[str],
    folders: Sequence[str],
) -> Pictures:
    """The pictures of these names, wherever they lie in a folder or a tar archive.

    Args:
        place: The folder, or the archive, also looked for below $OCCAMHEAD_DATA. Of an archive the
            pictures that are asked for are read into memory, 2 GiB at most.
        names: Of each picture, with as much of its path as there is.
        labels, classes: As for `Pictures`.
        folders: What the folder of each class is called: of several pictures of one name, the one
            in the folder of its class is meant.

    Raises:
        FileNotFoundError: If there is no such place.
        ValueError: If a picture is not there, several are meant by one name, or the place is
            neither a folder nor an archive that can be read.
    """
    root = find(place, "photographs")
    wanted = {PurePosixPath(name).name for name in names}
    if root.is_dir():
        paths = sorted(file.relative_to(root).as_posix() for file in root.rglob("*")
                       if file.name in wanted and file.is_file())  # fmt: skip
        chosen = _chosen(paths, names, labels, folders, root)
        return PictureFiles([str(root / path) for path in chosen], labels, classes)
    try:
        with tarfile.open(root) as archive:
            files = _read(archive, wanted, root)
    except (tarfile.TarError, LZMAError, zlib.error, EOFError, OSError) as reason:
        raise ValueError(
            f"{root}: wanted a folder of photographs, or a .tar, .tar.gz or .tar.xz of one, got"
            f" what cannot be read as such ({reason})"
        ) from reason
    chosen = _chosen(files, names, labels, folders, root)
    return PictureBytes([files[path] for path in chosen], chosen, labels, classes)


def _read(archive: tarfile.TarFile, wanted: set[str], root: Path) -> dict[str, bytes]:
    """The bytes of the files that are called so, by their path in the archive."""
    files: dict[str, bytes] = {}
    size = 0
    for member in archive:
        if not member.isfile() or PurePosixPath(member.name).name not in wanted:
            continue
        size += member.size
        if size > MOST:
            raise ValueError(
                f"{root}: more than {MOST >> 30} GiB of photographs; unpack it, and name the folder"
            )
        if (content := archive.extractfile(member)) is not None:
            files[PurePosixPath(member.name).as_posix()] = content.read()
    return files


def _chosen(
    paths: Iterable[str],
    names: Sequence[str],
    labels: NDArray[np.int64],
    folders: Sequence[str],
    root: Path,
) -> list[str]:
    """The path that each name means."""
    called: dict[str, list[str]] = {}
    for path in paths:
        called.setdefault(PurePosixPath(path).name, []).append(path)
    return [
        _meant(called, name, folders[label], root)
        for name, label in zip(names, labels, strict=True)
    ]


def _meant(called: Mapping[str, list[str]], name: str, folder: str, root: Path) -> str:
    parts = PurePosixPath(name).parts
    found = [path for path in called.get(parts[-1], ()) if _ends(path, parts)]
    if len(found) > 1:
        found = [path for path in found if folder in PurePosixPath(path).parts[:-1]] or found
    if not found:
        raise ValueError(f"{root}: no photograph {name} in it, which the file of features names")
    if len(found) > 1:
        raise ValueError(
            f"{root}: {name} may be {found[0]} or {found[1]}; name the folder that has one alone"
        )
    return found[0]


def _ends(path: str, parts: tuple[str, ...]) -> bool:
    return PurePosixPath(path).parts[-len(parts) :] == parts
