"""What does not depend on each other, in processes side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import TypeVar

from joblib import Parallel, delayed
from threadpoolctl import ThreadpoolController

T = TypeVar("T")


def side_by_side(calls: Iterable[Callable[[], T]], n_jobs: int | None) -> Iterator[T]:
    """The results of calls, in their order.

    Each has one thread for linear algebra, in whatever process: how a sum is shared out among
    threads would show in its last digits.

    Args:
        calls: What to call. The bases that they know by name must be registered in other
            processes, too, as pickled ones are.
        n_jobs: As in scikit-learn: so many processes, None for 1 or what
            ``joblib.parallel_config`` says, -1 for all cores.
    """
    found: Iterator[T] = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_alone)(call) for call in calls
    )
    return found


def _alone(call: Callable[[], T]) -> T:
    with _controller().limit(limits=1, user_api="blas"):
        return call()


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()
