"""Which process of a distributed run this is."""

from __future__ import annotations

import os
import sys
from typing import Any


def first_process() -> bool:
    """Whether this is the first process of a run, or the only one.

    Lightning knows; where nobody has loaded it, which takes seconds, what has started the
    processes told them.
    """
    lightning: Any = sys.modules.get("pytorch_lightning.utilities.rank_zero")
    if lightning is not None:
        return not getattr(lightning.rank_zero_only, "rank", 0)
    ranks = (os.environ.get(name) for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))
    return next((rank for rank in ranks if rank), "0") == "0"
