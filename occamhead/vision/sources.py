"""Where photographs come from: a folder of the user's, $OCCAMHEAD_DATA, or a small fall-back."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from occamhead.vision.pictures import PictureArrays, Splits, hold_out, read_folder

log = logging.getLogger("occamhead")

MINIVAN_AND_PORCUPINE = ("n03770679", "n02346627")


def data_root() -> Path | None:
    """Return the folder that $OCCAMHEAD_DATA names, or None if it is not set."""
    root = os.environ.get("OCCAMHEAD_DATA")
    return Path(root) if root else None


def find(path: str | Path, kind: str) -> Path:
    """Find what the user named: as it is, or else below $OCCAMHEAD_DATA.

    Args:
        path: A file or folder; "~" is understood.
        kind: What it should hold, for the error, such as "photographs".
    Raises:
        FileNotFoundError: If it is in neither place; names both.
    """
    given = Path(path).expanduser()
    tried = [given]
    root = data_root()
    if root is not None and not given.is_absolute():
        tried.append(root / given)
    for candidate in tried:
        if candidate.exists():
            return candidate
    places = " nor ".join(str(candidate.absolute()) for candidate in tried)
    setting = "is not set" if root is None else f"is {root}"
    raise FileNotFoundError(
        f"{kind}: found neither {places}; name the place with --data (or --weights for weights), "
        f"or set OCCAMHEAD_DATA, which {setting}, to the folder that holds it"
    )


def photograph_splits(
    data: str | Path | None = None,
    classes: Sequence[str] | None = None,
    validation_fraction: float = 0.2,
    seed: int = 0,
) -> tuple[Splits, str]:
    """Read photographs with `val/` as the test split and validation cut from `train/`.

    Args:
        data: Folder with `train/` and `val/`, each with one folder per class. None looks below
            $OCCAMHEAD_DATA for ImageNet's minivan and porcupine, then for
            imagenette_springer_truck, then for hymenoptera, and falls back to the 200 tiny grey
            pictures of faces and other things that scikit-image brings along.
        classes: Class folders in the order of their labels; None means all if there are two, and
            ImageNet's minivan (n03770679) and porcupine (n02346627) if there are more.
        validation_fraction: Part of each class of `train/` to validate on.
        seed: Decides which photographs validate.
    Returns:
        The splits, and one line that says what they are.
    Raises:
        FileNotFoundError: If `data` does not exist.
        ValueError: If a class folder is missing or empty, or there are fewer than two classes.
    """
    if data is not None:
        root = find(data, "photographs")
        return _read_photographs(root, classes, validation_fraction, seed)
    for root, default in _known_sets():
        if all((root / "train" / name).is_dir() for name in classes or default):
            return _read_photographs(root, classes or default, validation_fraction, seed)
    return _faces(classes, validation_fraction, seed)


def _known_sets() -> list[tuple[Path, tuple[str, ...]]]:
    """Return the sets that may lie below $OCCAMHEAD_DATA, best first, each with its classes."""
    root = data_root()
    if root is None:
        return []
    return [
        (root, MINIVAN_AND_PORCUPINE),
        (root / "imagenet", MINIVAN_AND_PORCUPINE),
        (root / "imagenette_springer_truck", ("n02102040", "n03417042")),
        (root / "hymenoptera", ("ants", "bees")),
    ]


def _read_photographs(
    root: Path, classes: Sequence[str] | None, validation_fraction: float, seed: int
) -> tuple[Splits, str]:
    classes = _choose_classes(root / "train") if classes is None else classes
    if len(classes) < 2 or len(set(classes)) < len(classes):
        raise ValueError(f"classes: wanted two or more different ones, got {tuple(classes)}")
    train, validation = hold_out(read_folder(root / "train", classes), validation_fraction, seed)
    test = read_folder(root / "val", classes)
    named = zip(classes, test.classes, strict=True)
    words = (name if name == word else f"{name} {word}" for name, word in named)
    return Splits(train, validation, test), f"photographs in {root} ({', '.join(words)})"


def _choose_classes(folder: Path) -> tuple[str, ...]:
    """Return the class folders to use where the user did not say."""
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder; wanted train/ and val/ with class folders")
    found = sorted(f.name for f in folder.iterdir() if f.is_dir() and not f.name.startswith("."))
    if len(found) <= 2:
        return tuple(found)
    if all(name in found for name in MINIVAN_AND_PORCUPINE):
        return MINIVAN_AND_PORCUPINE
    raise ValueError(
        f"{folder}: {len(found)} class folders, but not both of ImageNet's n03770679 (minivan) and "
        f"n02346627 (porcupine); say which to use with --classes, such as {found[:2]}"
    )


def _faces(
    classes: Sequence[str] | None, validation_fraction: float, seed: int
) -> tuple[Splits, str]:
    """Fall back to scikit-image's 100 faces and 100 other pictures, grey, 25 x 25."""
    names = ("face", "other")
    root = data_root()
    missing = f"none of the known sets is in {root}" if root else "OCCAMHEAD_DATA is not set"
    if classes is not None and set(classes) != set(names):
        raise ValueError(
            f"classes: found no photographs of {tuple(classes)} ({missing}); name their folder "
            f"with --data, or set OCCAMHEAD_DATA"
        )
    try:
        import skimage.data
    except ImportError as reason:
        raise ImportError(
            f"no photographs ({missing}), and the fall-back needs scikit-image: name a folder with "
            "--data, or pip install 'occamhead[recipes]'"
        ) from reason
    # Read here, since releases of scikit-image that do not install it would use the network.
    file = Path(skimage.data.__file__).parent / "lfw_subset.npy"
    if not file.is_file():
        raise RuntimeError(
            f"no photographs ({missing}), and this scikit-image lacks the fall-back's {file.name}: "
            "name a folder with --data, or set OCCAMHEAD_DATA"
        )
    images = np.round(np.load(file) * 255).astype(np.uint8)
    classes = names if classes is None else tuple(classes)
    labels = [classes.index("face")] * 100 + [classes.index("other")] * 100
    everything = PictureArrays(images, [f"lfw_subset/{i:03d}" for i in range(200)], labels, classes)
    # The set has no test split of its own, so ours must be the same whatever the user's seed.
    rest, test = hold_out(everything, fraction=0.4, seed=0)
    train, validation = hold_out(rest, validation_fraction, seed)
    description = (
        "FALL-BACK: scikit-image's 200 grey pictures of 25 x 25 pixels (face, other), "
        f"because {missing}"
    )
    log.warning(description)
    return Splits(train, validation, test), description
