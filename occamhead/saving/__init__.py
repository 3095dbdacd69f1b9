"""What is written stays, what is read is what was written, and what is stopped goes on."""

from occamhead.saving.kept import Kept, WrongRun
from occamhead.saving.stops import Stopped, stoppable
from occamhead.saving.whole import replaced, write_whole

__all__ = ["Kept", "Stopped", "WrongRun", "replaced", "stoppable", "write_whole"]
