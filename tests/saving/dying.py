"""The death of a process at a moment that the disk gives: when so many parts are kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

from occamhead.saving import Kept

ROOT = Path(__file__).parents[2]


def die_after(number: int) -> None:
    """Let this process be killed by SIGKILL when so many parts are on the disk."""

    def counted(name: str) -> None:
        nonlocal number
        number -= 1
        if not number:
            os.kill(os.getpid(), signal.SIGKILL)

    tell_each(counted)


def tell_each(told: Callable[[str], None], patch: Callable[..., None] = setattr) -> None:
    """Tell the name of each part when it is on the disk, checkpoints of training among them.

    Args:
        told: Whom to tell.
        patch: ``setattr``, or that of pytest.
    """
    write = Kept.write

    def writes(self: Kept, name: str, value: object) -> None:
        write(self, name, value)
        if self.keeps:
            told(name)

    patch(Kept, "write", writes)
    if (lightning := sys.modules.get("pytorch_lightning")) is not None:
        save = lightning.Trainer.save_checkpoint

        def saves(*given: object, **options: object) -> None:
            save(*given, **options)
            told("training")

        patch(lightning.Trainer, "save_checkpoint", saves)


def die_in_each(
    run: Callable[[Path], object], folder: Path | str, numbers: Iterable[int | str]
) -> None:
    """Run in processes of their own, in folders of these names, until so many parts are kept.

    A fork of a process that has threads may hang, which ends it after five minutes.
    """
    for number in numbers:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of threads
            child = os.fork()
        if not child:
            signal.alarm(300)
            die_after(int(number))
            run(Path(folder) / str(number))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, status


def killed(module: str, case: str, folder: Path, *numbers: int) -> None:
    """Run a module whose ``__main__`` calls :func:`die_in_each`, away from this process."""
    words = [sys.executable, "-m", module, case, str(folder), *map(str, numbers)]
    done = subprocess.run(
        words, cwd=ROOT, capture_output=True, text=True, timeout=600,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]


def noted(patch: Callable[..., None]) -> list[str]:
    """A list that gets the name of each part that is kept from now on; `patch` is pytest's."""
    names: list[str] = []
    tell_each(names.append, patch)
    return names
