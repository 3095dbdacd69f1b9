"""What every module keeps of its checkpoints: a seal, and that reading one imports nothing."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from occamhead.checks import enough_memory
from occamhead.saving.content import content_digest
from occamhead.saving.sealed import Damaged
from occamhead.saving.tensors import UNREADABLE, read_tensors

SEAL, VERSION = "occamhead_seal", "pytorch-lightning_version"
# What Lightning itself rewrites when it reads a checkpoint of another version.
_MIGRATED = {"loops", "callbacks", VERSION, f"legacy_{VERSION}", SEAL}
# What it takes the arguments of the module's constructor from, and the one way of calling it that
# its command line writes.
_ARGUMENTS = ("hyper_parameters", "hparams", "module_arguments")
_INSTANTIATORS = {"pytorch_lightning.cli.instantiate_module"}


class CheckedModule(pl.LightningModule):
    """A LightningModule whose checkpoints are sealed, and checked before they are believed.

    A subclass calls these hooks last where it saves, and first where it loads.
    """

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        parts = {name: part for name, part in checkpoint.items() if name != SEAL}
        checkpoint[SEAL] = {name: content_digest([name, part]) for name, part in parts.items()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        # Arguments may have been replaced since by others, on purpose.
        check_content(checkpoint, "the checkpoint", {*_MIGRATED, *_ARGUMENTS})

    @classmethod
    def load_from_checkpoint(cls, checkpoint_path: Any, *args: Any, **kwargs: Any) -> Any:
        """Read a module as Lightning does, a file only after :func:`check_checkpoint`.

        Raises:
            ValueError: If the file is damaged or does not fit, or asks for what is not this
                package's to be imported; names it.
            OSError: If it cannot be read.
        """
        local = isinstance(checkpoint_path, (str, Path)) and "://" not in str(checkpoint_path)
        if local and kwargs.get("weights_only") is not False:
            check_checkpoint(checkpoint_path)
        try:
            with enough_memory(f"reading {checkpoint_path}"):
                return super().load_from_checkpoint(checkpoint_path, *args, **kwargs)
        except UNREADABLE as reason:
            raise ValueError(f"{checkpoint_path} does not fit {cls.__name__}: {reason}") from reason


def check_checkpoint(path: str | Path) -> None:
    """Read a checkpoint without running or importing anything, and see whether it can be believed.

    Raises:
        ValueError: If the file is cut off, damaged or no checkpoint, or if its arguments name
            classes or functions that Lightning, or jsonargparse for it, would import.
        OSError: If it cannot be read.
    """
    checkpoint = read_tensors(path, "a checkpoint")
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get("state_dict"), Mapping):
        raise ValueError(f"{path} is not a checkpoint: it holds no state_dict")
    check_content(checkpoint, str(path), set())
    for name in _ARGUMENTS:
        if (found := _imported(checkpoint.get(name))) is not None:
            raise ValueError(
                f"{path} is refused: its {name} ask for {found} to be imported, which could run"
                " anything; load it in a program of your own if you know who made it"
            )


def check_content(checkpoint: Mapping[str, Any], what: str, but: set[str]) -> None:
    """Raise ValueError if a part of a checkpoint, `but` for some, is not what was saved.

    Checkpoints from before there were seals are taken as they are.
    """
    seals = checkpoint.get(SEAL)
    if seals is None:
        if any(map(_is_seal, checkpoint.values())):
            raise Damaged(f"{what} is damaged: its seal has lost its name")
        return
    if not isinstance(seals, Mapping):
        raise Damaged(f"{what} is damaged: its seal is no list of parts")
    for name in sorted({*seals, *checkpoint} - {SEAL} - but, key=str):
        if seals.get(name) != content_digest([name, checkpoint.get(name)]):
            raise Damaged(f"{what} is damaged: its {name!r} is not what was saved")


def _is_seal(part: Any) -> bool:
    return isinstance(part, Mapping) and any(
        isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) for value in part.values()
    )


def _imported(arguments: Any) -> str | None:
    """What the arguments of a module would have Lightning import, if it is not ours."""
    if arguments is None:
        return None
    if not isinstance(arguments, Mapping):
        return f"{type(arguments).__name__!r}"
    inner = dict(arguments)
    how, which = inner.pop("_instantiator", None), inner.pop("_class_path", None)
    if how is not None and how not in list(_INSTANTIATORS):
        return repr(how)
    if which is not None and not _is_known(which):
        return repr(which)
    if inner.get("teacher") is not None:
        return f"teacher {inner['teacher']!r:.60}"
    return next(_nested(inner), None)


def _is_known(path: Any) -> bool:
    """Whether a class is of this package, or of a module that somebody has imported already."""
    if not isinstance(path, str):
        return False
    module, _, name = path.rpartition(".")
    return module.startswith("occamhead.") or hasattr(sys.modules.get(module), name)


def _nested(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key in ("class_path", "_class_path", "_instantiator"):
                yield f"{item!r:.60}"
            yield from _nested(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _nested(item)
