"""Photographs of a user's own: any folder of class folders, split by ourselves if need be."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from occamhead.vision.pictures import PictureFiles, Pictures, Splits, read_folder

# Different photographs that a class needs: some to learn from, one to choose by, one to test on.
LEAST = 5
TRAIN, HELD_OUT = "train", ("val", "test")


def class_folder_splits(
    folder: str | Path,
    classes: Sequence[str] | None = None,
    *,
    validation_fraction: float = 0.2,
    test_fraction: float = 0.2,
    seed: int = 0,
) -> tuple[Splits, tuple[str, ...]]:
    """Read photographs that lie in one folder per class, and part them to learn and to test.

    Where the folder has `train/` and `val/` or `test/`, the class folders lie in these, and what is
    not in `train/` is the test part; where it has all three, `val/` is the validation part. What
    is missing is split off by the seed, each class in the same proportion. No photograph is in two
    parts: copies, files of the same bytes, stay together, and those in `train/` of a test
    photograph are left out. What lies in two classes tells nothing, and is left out too.

    Args:
        folder: The folder.
        classes: Class folders in the order of their labels; None takes all, sorted by name.
        validation_fraction: Part of each class to choose by, of what is not for the test.
        test_fraction: Part of each class to test on.
        seed: Decides which photographs are held out.

    Returns:
        The splits, and what is to be said of them, one line each.

    Raises:
        FileNotFoundError: If there is no such folder.
        NotADirectoryError: If it is a file.
        ValueError: If there are fewer than two classes, or fewer than 5 different photographs in
            one of them.
    """
    root = Path(folder).expanduser()
    if not root.exists():
        raise FileNotFoundError(
            f"{root}: no such folder; name one that holds a folder of photographs per class"
        )
    if not root.is_dir():
        raise NotADirectoryError(f"{root} is a file; name the folder that holds the class folders")
    base = root / TRAIN if (root / TRAIN).is_dir() else root
    held = [name for name in HELD_OUT if base != root and (root / name).is_dir()]
    names = _class_names(base) if classes is None else tuple(classes)
    if len(names) < 2 or len(set(names)) < len(names):
        raise ValueError(_too_few(base, names))
    parts = [read_folder(place, names) for place in (base, *(root / name for name in held))]
    keys = _contents([name for part in parts for name in part.names])
    (learnt, *given), said = _without_copies(parts, keys)
    for label, name in enumerate(names):
        count = len({keys[learnt.names[i]] for i in np.flatnonzero(learnt.labels == label)})
        if count < LEAST - len(given):
            raise ValueError(
                f"{base / name}: {count} different photographs; a class needs"
                f" {LEAST - len(given)} or more, so add some, or name other --classes"
            )
    generator = np.random.default_rng(seed)
    rows = np.arange(len(learnt))
    test: Pictures
    validation: Pictures
    if given:
        test = given[-1]
    else:
        rows, out = _split(learnt, rows, keys, test_fraction, generator)
        test = _part(learnt, out)
    if len(given) == 2:
        validation = given[0]
    else:
        rows, out = _split(learnt, rows, keys, validation_fraction, generator)
        validation = _part(learnt, out)
    splits = Splits(_part(learnt, rows), validation, test)
    return splits, (_sizes(splits, held, seed), *said)


def _class_names(base: Path) -> tuple[str, ...]:
    found = (f.name for f in base.iterdir() if f.is_dir() and not f.name.startswith((".", "__")))
    return tuple(sorted(found))


def _too_few(base: Path, names: Sequence[str]) -> str:
    if len(set(names)) < len(names):
        return f"classes: wanted different ones, got {', '.join(names)}"
    if not names:
        return f"{base}: no folders in it; put the photographs of each class in one of their own"
    inner = base / names[0]
    if len(_class_names(inner)) > 1:
        return f"{base}: one folder in it, {names[0]}; did you mean {inner}?"
    return f"{base}: one class, {names[0]}; wanted a folder of photographs for each of two or more"


def _contents(names: Sequence[str]) -> dict[str, str]:
    """What the bytes of each file are, by its name; a size of its own says enough."""
    sizes = {name: Path(name).stat().st_size for name in names}
    times = Counter(sizes.values())
    return {
        name: str(size) if times[size] == 1 else sha256(Path(name).read_bytes()).hexdigest()
        for name, size in sizes.items()
    }


def _without_copies(
    parts: Sequence[PictureFiles], keys: Mapping[str, str]
) -> tuple[list[PictureFiles], tuple[str, ...]]:
    """The parts without what lies in two classes, or in a later part as well; what was done."""
    classes: dict[str, set[int]] = defaultdict(set)
    for part in parts:
        for name, label in zip(part.names, part.labels.tolist(), strict=True):
            classes[keys[name]].add(label)
    torn = [n for part in parts for n in part.names if len(classes[keys[n]]) > 1]
    kept: list[PictureFiles] = []
    leaking = copies = 0
    later: set[str] = set()
    for part in reversed(parts):
        own = [keys[name] for name in part.names]
        leaks = [key in later and len(classes[key]) == 1 for key in own]
        rows = [i for i, key in enumerate(own) if len(classes[key]) == 1 and not leaks[i]]
        later |= set(own)
        leaking += sum(leaks)
        copies += len(rows) - len({own[i] for i in rows})
        kept.insert(0, part if len(rows) == len(part) else part.subset(rows))
    said = []
    if torn:
        said.append(f"left out, for they are in two classes: {len(torn)} files such as {torn[0]}")
    if leaking:
        said.append(f"left out, for they are held out as well: {leaking} files of train/ or val/")
    if copies:
        said.append(f"{copies} files are copies of others; copies are kept in one part")
    return kept, tuple(said)


def _split(
    pictures: PictureFiles,
    rows: NDArray[np.int64],
    keys: Mapping[str, str],
    fraction: float,
    generator: np.random.Generator,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows that stay, and rows held out; without copies they are those of `hold_out`."""
    held = np.zeros(len(pictures), dtype=bool)
    for label in range(len(pictures.classes)):
        members: dict[str, list[int]] = defaultdict(list)
        for row in rows[pictures.labels[rows] == label].tolist():
            members[keys[pictures.names[row]]].append(row)
        groups = list(members.values())
        count = min(max(round(fraction * len(groups)), 1), len(groups) - 1)
        for place in generator.permutation(len(groups))[:count]:
            held[groups[place]] = True
    return rows[~held[rows]], rows[held[rows]]


def _part(pictures: PictureFiles, rows: NDArray[np.int64]) -> Pictures:
    """Some of the pictures, whose features are cached with those of all."""
    if len(rows) == len(pictures):
        return pictures
    part = pictures.subset(rows)
    part.whole, part.rows = pictures, rows
    return part


def _sizes(splits: Splits, held: Sequence[str], seed: int) -> str:
    if not held:
        origin = f"split by seed {seed}, each class alike"
    elif len(held) == 2:
        origin = "as train/, val/ and test/ have them"
    else:
        origin = f"these in {held[0]}/; train/ is split by seed {seed}, each class alike"
    return (
        f"{len(splits.train)} photographs to learn from, {len(splits.validation)} to choose by,"
        f" {len(splits.test)} to test on ({origin})"
    )
