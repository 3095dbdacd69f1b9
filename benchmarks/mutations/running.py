"""Give a reader mutated inputs and note what it must not do."""

from __future__ import annotations

import resource
import signal
import sys
import time
from dataclasses import dataclass, field

import numpy as np

from benchmarks.mutations.mutating import mutated
from benchmarks.mutations.readers import Reader

SECONDS, GIVEN_UP = 1.0, 5.0
# Of one reader; more would tell nothing new.
MOST_FINDINGS = 5


class TooLong(BaseException):
    """An input was given up."""


def _give_up(number: int, frame: object) -> None:
    raise TooLong


@dataclass
class Finding:
    """An input, and what it led to."""

    reader: str
    what: str
    data: bytes


@dataclass
class Result:
    """How a reader fared; CPU seconds of the slowest input, and bytes that memory grew by."""

    inputs: int = 0
    refused: int = 0
    longest: float = 0.0
    grown: int = 0
    findings: list[Finding] = field(default_factory=list)


def run(reader: Reader, seed: int, seconds: float, most: int) -> Result:
    """Read mutated inputs until the CPU time or their number is up.

    Raises:
        Exception: What a sound input raises, of which nothing may.
    """
    random = np.random.default_rng([seed, *reader.name.encode()])
    for sound in reader.seeds:
        reader.read(sound)
    result, before = Result(), _memory()
    signal.signal(signal.SIGVTALRM, _give_up)
    start = time.process_time()
    while result.inputs < most and time.process_time() - start < seconds:
        data = mutated(reader.seeds, random)
        began, held = time.process_time(), _memory()
        what = None
        try:
            signal.setitimer(signal.ITIMER_VIRTUAL, GIVEN_UP)
            reader.read(data)
        except reader.documented:
            result.refused += 1
        except TooLong:
            what = f"not done after {GIVEN_UP:.0f} s"
        except Exception as error:
            what = f"{type(error).__name__}: {error}"[:300]
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        took, grown = time.process_time() - began, _memory() - held
        if took > SECONDS:
            what = what or f"{took:.2f} s"
        if grown > reader.most:
            what = what or f"{grown / 2**20:.0f} MB"
        result.inputs += 1
        result.longest = max(result.longest, took)
        if what is not None:
            result.findings.append(Finding(reader.name, what, data))
            if len(result.findings) >= MOST_FINDINGS:
                break
    result.grown = _memory() - before
    return result


def _memory() -> int:
    """Bytes that the process has held at most so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
