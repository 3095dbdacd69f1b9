"""The folder that a run writes to, and its results.json."""

from __future__ import annotations

import errno
import json
import math
import os
import platform
import shlex
import shutil
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from occamhead.commands.output import say
from occamhead.saving import Kept, Stopped, first_process, stoppable, write_whole

FILES = (
    "results.json",
    "formula.py",
    "formula.json",
    "formula.tex",
    "formula.png",
    "predictions.csv",
    "names.yaml",
    "checkpoint.ckpt",
)
PAGE, MODEL = "report.html", "model.safetensors"
UNFINISHED, LOCK, KEPT = ".part", ".lock", ".done"


class Run:
    """A run that writes to a folder of its own, which takes its place when the run has ended well.

    Args:
        final: The folder that is asked for.
        about: What the run is of, by name, as text: a stopped run goes on only with the same.

    Attributes:
        folder: Where to write until then: beside `final`, with ``.part`` behind its name.
        kept: Parts of the run that are done.
    """

    def __init__(self, final: Path, about: Mapping[str, str]) -> None:
        self.final = final
        self.folder = final.with_name(f"{final.name}{UNFINISHED}")
        self.kept = Kept(self.folder / KEPT, about)

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """A part of the run, which `--resume` does not do again; see :meth:`Kept.once`."""
        return self.kept.once(name, make)

    def save(self, results: Mapping[str, Any], *packages: str) -> dict[str, Any]:
        """Write results.json; see :func:`save_results`."""
        return save_results(self.folder, results, *packages)

    def finish(self, results: Mapping[str, Any], *packages: str) -> dict[str, Any]:
        """Write results.json, say where, and return what was to be written."""
        written = self.save(results, *packages)
        say(f"results in {self.final}")
        return written

    def shown(self, file: Path) -> Path:
        """Where a file of the folder will be found."""
        return self.final / file.relative_to(self.folder)


@contextmanager
def results_run(args: Namespace, name: str) -> Iterator[Run]:
    """A run with the flags of :func:`occamhead.commands.flags.add_out`.

    Nothing stands in the folder that was asked for before the run has ended well; then all does.
    What a run that is stopped has done stays beside it, and `--resume` goes on from there.

    Args:
        args: The flags; all others tell what the run is of.
        name: Of the default folder.

    Raises:
        FileExistsError: If the folder holds results already and `overwrite` is not set, if
            another run is writing to it, or if it was left unfinished.
        OSError: If it cannot be written to.
        SystemExit: If the system stops the run, with the status of the signal.
    """
    final = args.out or Path("runs") / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    resume = getattr(args, "resume", False)
    if resume and args.out is None:
        raise ValueError("--resume goes on with a run that was stopped: name its folder by --out")
    about = {k: str(v) for k, v in vars(args).items() if k not in ("out", "overwrite", "resume")}
    if not first_process():
        yield Run(final, about)  # the first process of a distributed run looks, makes and writes
        return
    _check_free(final, args.overwrite)
    folder = final.with_name(f"{final.name}{UNFINISHED}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        error.filename = str(final)  # the place that was asked for
        raise
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise FileExistsError(
            f"another run is writing to {folder}; wait for it, or choose another --out"
        ) from None
    try:
        left = [file for file in folder.iterdir() if file.name != LOCK]
        if left and not resume and not args.overwrite:
            raise FileExistsError(
                f"{folder} holds what a run that was stopped has done; go on with it by --resume,"
                " or begin anew with --overwrite"
            )
        if not resume:
            for file in left:
                _remove(file)
        with stoppable():
            run = Run(final, about)
            yield run
        _publish(run)
    except Stopped as stop:
        say(f"not finished: {stop}{_remedy(folder, final)}")
        raise SystemExit(stop.status) from None
    except BaseException:
        if remedy := _remedy(folder, final):
            say(f"not finished{remedy}")
        raise
    finally:
        lock.release()
        if folder.is_dir() and _is_empty(folder):
            _remove(folder)


def _check_free(final: Path, overwrite: bool) -> None:
    present = [file for file in (*FILES, PAGE, MODEL) if (final / file).exists()]
    if present and not overwrite:
        raise FileExistsError(
            f"{final} holds {', '.join(present)} already; choose another --out, or --overwrite"
        )
    if final.exists() and not os.access(final, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(final))


def _remedy(folder: Path, final: Path) -> str:
    """What is to be done after a stop; nothing where no part of the run was done."""
    if Kept(folder / KEPT).empty:
        return ""
    return f"; go on by the same command with --out {shlex.quote(str(final))} --resume"


def _is_empty(folder: Path) -> bool:
    return Kept(folder / KEPT).empty and all(file.name in (LOCK, KEPT) for file in folder.iterdir())


def _publish(run: Run) -> None:
    """Let the folder take its place; where one is there, its files do, the figures last."""
    _remove(run.folder / KEPT)
    (run.folder / LOCK).unlink(missing_ok=True)
    if run.final.is_dir() and not any(run.final.iterdir()):
        run.final.rmdir()
    if not run.final.exists():
        run.folder.rename(run.final)
        return
    # Not every run writes these, and those of another run would tell of other formulas.
    for file in ("results.json", PAGE, MODEL):
        (run.final / file).unlink(missing_ok=True)
    for written in sorted(run.folder.iterdir(), key=lambda file: file.name == "results.json"):
        place = run.final / written.name
        if place.is_dir():
            _remove(place)
        written.replace(place)
    run.folder.rmdir()


def _remove(file: Path) -> None:
    if file.is_dir() and not file.is_symlink():
        shutil.rmtree(file)
    else:
        file.unlink(missing_ok=True)


def save_results(out: Path, results: Mapping[str, Any], *packages: str) -> dict[str, Any]:
    """Write results.json, with versions, command and processor added.

    It may be called again as rows come in: the file is replaced as a whole, so that a stop loses
    none. JSON knows no infinity; in the file null stands for a figure that is not finite.

    Args:
        out: The folder.
        results: What the run found so far.
        packages: Those whose versions the figures depend on, besides those of `versions`.
    """
    about = {"command": command_line(), "processor": platform.processor() or platform.machine()}
    results = {**results, "versions": versions(*packages), **about}
    if first_process():
        write_whole(out / "results.json", json.dumps(_finite(results), indent=1) + "\n")
    return results


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (list, tuple)) else value


def command_line() -> str:
    """The command that this process was started with."""
    script, *words = sys.orig_argv[1:] or [""]
    if Path(script).name == "occamhead":
        return shlex.join(["occamhead", *words])
    return shlex.join([Path(sys.executable).name, *sys.orig_argv[1:]])


def versions(*packages: str) -> dict[str, str | None]:
    """Versions of what the figures depend on; None where a package is missing."""
    names = ("occamhead", "torch", "torchvision", "pytorch-lightning", "numpy", *packages)
    return {"python": platform.python_version(), **{name: _version(name) for name in names}}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
