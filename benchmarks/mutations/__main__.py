"""``python -m benchmarks.mutations``: mutated inputs for every parser and reader, and what came.

Prints for each reader how many were read, how many of them were refused, the longest that one took
(CPU seconds) and what the process's memory grew by. It ends with status 1, and the inputs, if one
raised what is not documented, was believed though it was damaged, took over a second, or over
200 MB (pictures: what Pillow takes).
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import warnings
from pathlib import Path

from benchmarks.mutations.readers import readers
from benchmarks.mutations.running import Finding, run


def main() -> int:
    """Run all readers, or some, for so many seconds together."""
    parser = argparse.ArgumentParser(prog="benchmarks.mutations", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="CPU time; default 600")
    parser.add_argument("--inputs", type=int, default=10**6, help="at most, of each reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", default=[], help="names of readers")
    args = parser.parse_args()
    for name in ("occamhead", "pytorch_lightning"):
        logging.getLogger(name).setLevel("ERROR")
    warnings.simplefilter("ignore")
    findings: list[Finding] = []
    total = 0
    in_memory = "/dev/shm" if Path("/dev/shm").is_dir() else None  # a disk would be waited for
    with tempfile.TemporaryDirectory(dir=in_memory) as folder:
        chosen = [r for r in readers(Path(folder)) if not args.only or r.name in args.only]
        for reader in chosen:
            result = run(reader, args.seed, args.seconds / len(chosen), args.inputs)
            total += result.inputs
            findings += result.findings
            numbers = f"{result.inputs:8} inputs {result.refused:8} refused"
            cost = f"{result.longest:7.3f} s {result.grown / 2**20:6.0f} MB"
            print(f"{reader.name:28} {numbers} {cost}", flush=True)
    print(f"{total} inputs, {len(findings)} findings")
    for finding in findings:
        print(f"{finding.reader}: {finding.what}\n    {finding.data[:300]!r}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
