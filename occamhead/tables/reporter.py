"""Progress on stderr while a search runs."""

from __future__ import annotations

import sys
from collections.abc import Callable

from occamhead.search.compiling import cpu_seconds
from occamhead.search.evolution import Progress
from occamhead.search.strategy import Strategy

# The bar proper is short: the formula needs the rest of the line.
FORMAT = "{desc}: {percentage:3.0f}%|{bar:10}| {elapsed}<{remaining}{postfix}"


def reporter(strategy: Strategy, title: str) -> Callable[[Progress], None]:
    """A callback that shows a progress bar with the best formula so far on stderr.

    The bar shows how much of the time or of the functions is used; a search may end before.

    Args:
        strategy: The strategy of the search, for its limits.
        title: What the bar is called.
    """
    from tqdm import tqdm

    budget, began = strategy.time_budget, cpu_seconds()
    total = strategy.max_functions if budget is None else budget
    bar = tqdm(total=total, desc=title, file=sys.stderr, dynamic_ncols=True, bar_format=FORMAT)

    def report(progress: Progress) -> None:
        done = progress.functions if budget is None else cpu_seconds() - began
        bar.update(min(done, total or done) - bar.n)
        if progress.improved:
            bar.set_postfix_str(f"error {progress.error.max():.3g}: {progress.best()}")
        if progress.last:
            bar.close()

    return report
