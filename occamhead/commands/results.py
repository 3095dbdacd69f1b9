"""The folder that a run writes to, and its results.json."""

from __future__ import annotations

import json
import math
import platform
import shlex
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from occamhead.commands.output import first_process, say

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


def prepare(out: Path | None, name: str, overwrite: bool) -> Path:
    """The folder for the results, made if need be.

    Raises:
        FileExistsError: If it holds results already and `overwrite` is not set.
    """
    out = out or Path("runs") / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    if not first_process():
        return out  # the first process of a distributed run looks, makes and writes
    present = [file for file in (*FILES, PAGE, MODEL) if (out / file).exists()]
    if present and not overwrite:
        raise FileExistsError(
            f"{out} holds {', '.join(present)} already; choose another --out, or --overwrite"
        )
    out.mkdir(parents=True, exist_ok=True)
    # Not every run writes these, and those of another run would tell of other formulas.
    for file in (PAGE, MODEL):
        (out / file).unlink(missing_ok=True)
    return out


@contextmanager
def results_folder(out: Path | None, name: str, overwrite: bool) -> Iterator[Path]:
    """The folder of :func:`prepare`; gone again if nothing was written to it before an error."""
    folder = prepare(out, name, overwrite)
    try:
        yield folder
    except BaseException:
        if first_process() and not any(folder.iterdir()):
            folder.rmdir()
        raise


def write_results(out: Path, results: Mapping[str, Any], *packages: str) -> dict[str, Any]:
    """Write results.json, say where, and return what was to be written; see `save_results`."""
    written = save_results(out, results, *packages)
    say(f"results in {out}")
    return written


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
        _replace(out / "results.json", json.dumps(_finite(results), indent=1) + "\n")
    return results


def _replace(file: Path, text: str) -> None:
    scratch = file.with_suffix(".part")
    scratch.write_text(text)
    scratch.replace(file)


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
