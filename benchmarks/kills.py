"""Runs that are killed at random moments and resumed end as if they had not been.

``python benchmarks/kills.py --kinds backprop evolution --kills 12`` runs each kind once to its end,
then again and again, killing it by SIGKILL after a random time and going on by ``--resume``, until
it has been killed so often in all; each run that ends is compared with the first, byte by byte.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DIGITS = ["-m", "recipes.mnist_binary", "--accelerator", "cpu"]
PHOTOS = ["-m", "recipes.imagenet_binary", "--data", "hymenoptera", "--accelerator", "cpu"]
KINDS = {
    "backprop": [*DIGITS, "--mode", "backprop"],
    "evolution": [*DIGITS, "--mode", "evolution", "--steps", "1500"],
    "finetune": [*PHOTOS, "--mode", "finetune", "--epochs", "1", "--picture-size", "96"],
    "features": [*PHOTOS, "--mode", "path", "--budgets", "1", "2"],
}
# What tells of the time that a run took.
TIMES = ("seconds", "peak_rss_mb", "command")


def ending(out: Path) -> str:
    """A hash of a run's formula, weights and figures."""
    results = json.loads((out / "results.json").read_text())
    figures = {k: v for k, v in results.items() if not any(word in k for word in TIMES)}
    digest = hashlib.sha256(json.dumps(figures, sort_keys=True).encode())
    for name in ("formula.json", "formula.py", "predictions.csv"):
        digest.update((out / name).read_bytes())
    return digest.hexdigest()[:16]


def run(kind: str, out: Path, cache: Path, resume: bool, limit: float | None) -> tuple[bool, float]:
    """Whether a run came to its end before it was killed, and its wall seconds."""
    words = [sys.executable, *KINDS[kind], "--out", str(out), "--cache", str(cache)]
    began = time.monotonic()
    process = subprocess.Popen(
        [*words, *(["--resume"] if resume else [])], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        told, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return False, time.monotonic() - began
    if process.returncode:
        raise RuntimeError(f"{kind} ended with {process.returncode}:\n{told[-3000:]}")
    return True, time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--kills", type=int, default=12, help="of each kind")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    args = parser.parse_args()
    moments = random.Random(args.seed)
    for kind in args.kinds:
        with tempfile.TemporaryDirectory() as folder:
            base = Path(folder)
            kept = base / "cache"
            _, seconds = run(kind, base / "whole", kept, False, None)
            wanted, kills, endings, extra = ending(base / "whole"), 0, [], 0.0
            while kills < args.kills:
                out, cache = base / f"run{len(endings)}", kept
                if kind == "features":
                    cache = base / f"cache{len(endings)}"
                done, resume, taken = False, False, 0.0
                while not done:
                    limit = moments.uniform(0.05, 0.9) * seconds if kills < args.kills else None
                    done, spent = run(kind, out, cache, resume, limit)
                    kills, taken, resume = kills + (not done), taken + spent, True
                    resume = out.with_name(f"{out.name}.part").exists()
                endings.append(ending(out) == wanted)
                extra += taken - seconds
                shutil.rmtree(out)
            print(f"{kind}: {seconds:.0f} s; {kills} kills, {sum(endings)} of {len(endings)} runs"
                  f" ended the same; {extra / kills:.0f} s more a kill", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
