"""Features of pictures, computed once by a frozen backbone and kept on disk."""

import hashlib
import io
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import DataLoader, Subset
from tqdm.auto import tqdm

from occamhead.checks import enough_memory
from occamhead.rows.evaluating import evaluating
from occamhead.saving import replaced
from occamhead.saving.sealed import Damaged, check_seal, read_sealed, seal
from occamhead.vision.allocator import memory_kept
from occamhead.vision.backbones import Backbone
from occamhead.vision.growing import Growing, alone
from occamhead.vision.pictures import Pictures, PictureTensors

log = logging.getLogger("occamhead")

Watch: TypeAlias = Callable[[Backbone, Pictures], AbstractContextManager[Callable[[range], None]]]
"""Looks on while pictures pass through a backbone; told the rows of each batch that has passed."""

SMALLER = "take a smaller batch (batch_size=, --batch-size), or another device"


def default_workers(pictures: Pictures) -> int:
    """Return how many processes shall decode: half the cores, at most 4; none for few pictures.

    One process decodes faster than a CPU runs a backbone, so more would only take cores from it;
    and starting one takes longer than decoding a hundred pictures.
    """
    return 0 if len(pictures) < 100 else min(4, (os.cpu_count() or 1) // 2)


def best_device() -> str:
    """The device that features are computed on unless another is named."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def extract(
    backbone: Backbone,
    pictures: Pictures,
    *,
    batch_size: int = 32,
    device: str | torch.device = "cpu",
    workers: int | None = None,
    progress: bool = True,
    watch: Watch | None = None,
    into: Growing | None = None,
) -> NDArray[np.float32]:
    """Run every picture through the backbone, in eval mode and without gradients.

    Args:
        backbone: Left as it was, to the bit, in mode and on its device.
        pictures: At least one.
        batch_size: Pictures per pass; limits the memory needed.
        device: Where the backbone runs, such as "cuda".
        workers: Processes that decode meanwhile; None means `default_workers`.
        progress: Show a progress bar on stderr.
        watch: May read layers of the backbone after each batch, but change nothing.
        into: Where to write the features, from the first that is not done on; None takes memory.
    Returns:
        Features, float32 [picture, num_features].
    Raises:
        ValueError: If there are no pictures, or a feature is infinite or NaN; names the picture.
    """
    if len(pictures) == 0:
        raise ValueError("pictures: wanted at least one, got none")
    workers = default_workers(pictures) if workers is None else workers
    tensors = PictureTensors(pictures, backbone.transform)
    row = 0 if into is None else into.done
    left = Subset(tensors, range(row, len(tensors)))
    loader = DataLoader(left, batch_size=batch_size, num_workers=workers)
    shape = len(pictures), backbone.num_features
    features = np.empty(shape if into is None else (0, 0), dtype=np.float32)
    with (
        evaluating(backbone.module),
        _placed(backbone.module, torch.device(device)) as module,
        torch.inference_mode(),
        memory_kept(),
        _pooling_by_channels(module),
        nullcontext() if watch is None else watch(backbone, pictures) as see,
        tqdm(
            total=len(pictures), initial=row, desc=backbone.name, unit="picture",
            disable=not progress,
        ) as bar,
    ):  # fmt: skip
        for images, _ in loader:
            with enough_memory(f"{backbone.name} sees {len(images)} pictures", SMALLER):
                batch = module(images.to(device)).float().cpu().numpy()
            finite = np.isfinite(batch).all(axis=1)
            if not finite.all():
                name = pictures.names[row + int(np.argmin(finite))]
                raise ValueError(f"{name}: {backbone.name} gives it features that are not finite")
            if into is None:
                features[row : row + len(batch)] = batch
            else:
                into.write(batch)
            if see is not None:
                see(range(row, row + len(batch)))
            row += len(batch)
            bar.update(len(batch))
    return features if into is None else into.array


@contextmanager
def _placed(module: nn.Module, device: torch.device) -> Iterator[nn.Module]:
    """Put a module on a device, and afterwards back where it was."""
    home = next((tensor.device for tensor in module.state_dict().values()), device)
    try:
        yield module.to(device)
    finally:
        module.to(home)


@contextmanager
def _pooling_by_channels(module: nn.Module) -> Iterator[None]:
    """Let layers that pool maxima on a CPU take their batches channels last, the quick way.

    Torch's kernel for channels first takes thrice as long, 8 % of a ResNet-50. A maximum is the
    same in any order, so that no bit of the features changes.
    """

    def arrange(pool: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        (x,) = inputs
        if x.ndim == 4 and x.device.type == "cpu":
            x = x.contiguous(memory_format=torch.channels_last)
        return (x,)

    def rearrange(pool: nn.Module, inputs: object, pooled: torch.Tensor) -> torch.Tensor:
        return pooled.contiguous()

    hooks = []
    for part in module.modules():
        if type(part) is nn.MaxPool2d and not part.return_indices:
            hooks.append(part.register_forward_pre_hook(arrange))
            hooks.append(part.register_forward_hook(rearrange))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def cached_features(
    backbone: Backbone,
    pictures: Pictures,
    cache_dir: str | Path | None = None,
    *,
    batch_size: int = 32,
    device: str | torch.device = "cpu",
    workers: int | None = None,
    progress: bool = True,
    watch: Watch | None = None,
) -> NDArray[np.float32]:
    """Return the features of `extract`, computed only if they are not on disk yet.

    Args:
        cache_dir: Folder of the cached files, one per backbone, transform and content of the
            pictures, wherever these lie; None means $XDG_CACHE_HOME/occamhead/features, or
            ~/.cache/occamhead/features. A file is read through before it is believed; of one that
            is damaged a warning says so, and the features are computed again.
        backbone, pictures, batch_size, device, workers, progress, watch: As for `extract`;
            what is on disk passes through nothing, so that nobody looks on.
    Returns:
        Features, float32 [picture, num_features]: memory-mapped read-only, or, of a part that
        `hold_out` made, its rows of the features of the whole.
    """
    if pictures.whole is not None:
        whole = cached_features(
            backbone,
            pictures.whole,
            cache_dir,
            batch_size=batch_size,
            device=device,
            workers=workers,
            progress=progress,
            watch=watch,
        )
        return whole[pictures.rows]
    shape = (len(pictures), backbone.num_features)
    file = _cache_folder(cache_dir) / f"{_cache_key(backbone, pictures)}.npy"
    if file.exists():
        features = _read_cached(file, shape)
        if features is not None:
            return features
    with alone(file):
        if file.exists() and (features := _read_cached(file, shape)) is not None:
            return features  # another process has computed them in the meantime
        growing = Growing(file, shape, batch_size)
        log.info(
            "%s: computing features of %d pictures, of which %d are done",
            backbone.name, len(pictures), growing.done,
        )  # fmt: skip
        try:
            extract(
                backbone,
                pictures,
                batch_size=batch_size,
                device=device,
                workers=workers,
                progress=progress,
                watch=watch,
                into=growing,
            )
        except BaseException:
            growing.leave()
            raise
        growing.finish()
    return np.load(file, mmap_mode="r")


def cached_arrays(
    key: Sequence[str],
    make: Callable[[], Mapping[str, NDArray[Any]]],
    cache_dir: str | Path | None = None,
) -> dict[str, NDArray[Any]]:
    """Return arrays by name, made only if they are not on disk yet.

    Args:
        key: Texts of which one changes whenever the arrays do.
        make: Makes them; small ones, as they are read as a whole.
        cache_dir: As for `cached_features`.
    """
    name = hashlib.sha256("\0".join(key).encode()).hexdigest()
    file = _cache_folder(cache_dir) / f"{name}.npz"
    if file.exists():
        try:
            with np.load(io.BytesIO(read_sealed(file)), allow_pickle=False) as kept:
                return dict(kept)
        except (Damaged, OSError) as reason:
            _say_again(file, reason)
    arrays = dict(make())
    file.parent.mkdir(parents=True, exist_ok=True)
    with replaced(file) as part:
        np.savez(part, **arrays)  # type: ignore[arg-type]
        seal(part)
    return arrays


def _cache_folder(cache_dir: str | Path | None) -> Path:
    if cache_dir is not None:
        return Path(cache_dir).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "occamhead" / "features"


def _cache_key(backbone: Backbone, pictures: Pictures) -> str:
    parts = (
        backbone.name,
        backbone.fingerprint,
        repr(backbone.transform),
        pictures.fingerprint(),
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _read_cached(file: Path, shape: tuple[int, int]) -> NDArray[np.float32] | None:
    """Map a cached file, or say what is wrong with it and return None."""
    try:
        check_seal(file)
        features: NDArray[np.float32] = np.load(file, mmap_mode="r", allow_pickle=False)
        if features.shape != shape or features.dtype != np.float32:
            raise Damaged(f"wanted float32 {list(shape)}, got {features.dtype} {features.shape}")
    except (Damaged, OSError) as reason:
        _say_again(file, reason)
        return None
    return features


def _say_again(file: Path, reason: Exception) -> None:
    log.warning("%s: damaged cache file, computed again: %s", file, reason)


def pixels(pictures: Pictures) -> NDArray[np.float32]:
    """Return pictures of one size as rows of numbers.

    Args:
        pictures: All of one size and all grey or all RGB.
    Returns:
        float32 [picture, height * width] or [picture, height * width * 3], 0 (black) to 1.
    Raises:
        ValueError: If there are no pictures or they differ in size; names one that does.
    """
    if len(pictures) == 0:
        raise ValueError("pictures: wanted at least one, got none")
    shape = np.asarray(pictures.picture(0)).shape
    rows = np.empty((len(pictures), int(np.prod(shape))), dtype=np.float32)
    for index, row in enumerate(rows):
        picture = np.asarray(pictures.picture(index))
        if picture.shape != shape:
            raise ValueError(
                f"{pictures.names[index]}: wanted a picture of size {list(shape)} like "
                f"{pictures.names[0]}, got {list(picture.shape)}"
            )
        row[:] = picture.reshape(-1)
    rows /= 255
    return rows
