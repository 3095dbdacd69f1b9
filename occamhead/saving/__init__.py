"""What is written stays, what is read is what was written, and what is stopped goes on."""

from occamhead.saving.kept import NOWHERE, Kept, WrongRun
from occamhead.saving.processes import first_process
from occamhead.saving.stops import Stopped, stoppable
from occamhead.saving.whole import replaced, write_whole

__all__ = [
    "NOWHERE",
    "Kept",
    "Stopped",
    "WrongRun",
    "first_process",
    "replaced",
    "stoppable",
    "write_whole",
]
